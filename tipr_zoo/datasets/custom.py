"""Anybody's own pictures and captions, from one table."""

from __future__ import annotations

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.specification import DatasetSpecification
from tipr_zoo.registries import DATASETS


@DATASETS.register_module(name="custom")
class CustomDataset(PersonDataset):
    """A CSV, TSV, JSON Lines or JSON file of image, caption, identity and split, or a folder with one such file.

    Columns go by several spellings (`tipr_zoo.datasets.tables.columns.COLUMNS`); rows of one image are its captions.
    Paths are relative to the file or to a folder of images beside it, or absolute. Without a split, identities are
    dealt to train, val and test by a hash; without an identity, each picture is a person of its own. Identities may
    be texts. Each rule that was applied is logged.
    """

    specification = DatasetSpecification(
        name="custom",
        first_identity=None,
        picture_folders=(".", "imgs", "images", "pictures"),
        is_table=True,
    )
