"""ICFG-PEDES (Ding et al., 2021)."""

from __future__ import annotations

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.specification import DatasetSpecification, SplitCounts
from tipr_zoo.registries import DATASETS


@DATASETS.register_module(name="ICFG-PEDES")
class ICFGPEDES(PersonDataset):
    """4,102 people from MSMT17, one long caption a picture, no validation split.

    Its folders ``imgs/train`` and ``imgs/test`` are those of MSMT17. They are not the split. One training picture has
    two annotations.
    """

    specification = DatasetSpecification(
        name="ICFG-PEDES",
        annotation_files=("ICFG-PEDES.json", "ICFG_PEDES.json"),
        nickname="icfg",
        first_identity=0,
        published={
            "train": SplitCounts(identities=3_102, pictures=34_674, captions=34_674),
            "test": SplitCounts(identities=1_000, pictures=19_848, captions=19_848),
        },
        picture_folders=("imgs", ".", "ICFG_PEDES"),
        # MSMT17's names: folder of the person, then person, number, camera, day and time of day, frame.
        picture_pattern=r"(train|test)/\d{4}/\d{4}_\d{3}_\d{2}_\d{4}(morning|noon|afternoon)_",
        one_caption_a_picture=True,
    )
