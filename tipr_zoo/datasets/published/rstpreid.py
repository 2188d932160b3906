"""RSTPReid (Zhu et al., ACM MM 2021)."""

from __future__ import annotations

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.specification import DatasetSpecification, SplitCounts
from tipr_zoo.registries import DATASETS


@DATASETS.register_module(name="RSTPReid")
class RSTPReid(PersonDataset):
    """4,101 people from MSMT17, five pictures each, two captions a picture.

    Its entries hold the picture under ``img_path``. Copies with ``file_path`` circulate.
    """

    specification = DatasetSpecification(
        name="RSTPReid",
        annotation_files=("data_captions.json",),
        nickname="rstp",
        first_identity=0,
        published={
            "train": SplitCounts(identities=3_701, pictures=18_505, captions=37_010),
            "val": SplitCounts(identities=200, pictures=1_000, captions=2_000),
            "test": SplitCounts(identities=200, pictures=1_000, captions=2_000),
        },
        picture_pattern=r"\d{4}_c\d{1,2}_\d{4}\.",  # person, camera, frame
    )
