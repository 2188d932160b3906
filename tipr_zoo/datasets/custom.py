"""Anybody's own pictures and captions, from one table."""

from __future__ import annotations

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.specification import DatasetSpecification
from tipr_zoo.registries import DATASETS


@DATASETS.register_module(name="custom")
class CustomDataset(PersonDataset):
    """A CSV, TSV, JSON Lines or JSON file with image, caption, identity and split, or a folder with one such file.

    Columns have several spellings (`tipr_zoo.datasets.tables.columns.COLUMNS`). The rows of one image are its captions.
    Paths are absolute, or relative to the file or to a folder of images beside it. Identities may be texts. Without a
    split, a hash deals the identities to train, val and test. Without an identity, each picture is its own person. Each
    rule that was applied is logged.
    """

    specification = DatasetSpecification(
        name="custom",
        first_identity=None,
        picture_folders=(".", "imgs", "images", "pictures"),
        is_table=True,
    )
