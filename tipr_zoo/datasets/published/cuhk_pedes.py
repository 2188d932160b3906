"""CUHK-PEDES (Li et al., CVPR 2017)."""

from __future__ import annotations

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.specification import DatasetSpecification, SplitCounts
from tipr_zoo.registries import DATASETS


@DATASETS.register_module(name="CUHK-PEDES")
class CUHKPEDES(PersonDataset):
    """13,003 people from five re-identification data sets, mostly two captions a picture.

    `reid_raw.json` also circulates as `CUHK-PEDES.json`, MGCC's name for it.
    """

    specification = DatasetSpecification(
        name="CUHK-PEDES",
        annotation_files=("reid_raw.json", "CUHK-PEDES.json"),
        nickname="cuhk",
        first_identity=1,
        published={
            "train": SplitCounts(identities=11_003, pictures=34_054, captions=68_126),
            "val": SplitCounts(identities=1_000, pictures=3_078, captions=6_158),
            "test": SplitCounts(identities=1_000, pictures=3_074, captions=6_156),
        },
        picture_pattern=r"(cam_a|cam_b|CUHK01|CUHK03|Market|test_query|train_query)/",
        never_beside=("synthpedes.json",),
    )
