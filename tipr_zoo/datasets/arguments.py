"""What identifies the data of an evaluation, besides the data set's name."""

from __future__ import annotations

from typing import Any

from tipr_zoo.datasets.annotation import counts_of
from tipr_zoo.datasets.drawn import drawn_file, is_as_drawn, read_drawn
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.splits import EVERY_SPLIT, SPLITS
from tipr_zoo.errors import DataError
from tipr_zoo.terminal.log import logger


def dataset_arguments(dataset: PersonDataset) -> dict[str, Any]:
    """Describe what distinguishes this copy from others of its name.

    Only whole copies of a published data set are all alike.

    Returns:
        For a whole copy of a published data set: nothing. For a part of one, or one with additions: how many identities
            and captions the split holds, if they are not the published counts. For a drawn data set: its seed, its
            sizes if they are not the usual ones, and the first 8 digits of its annotations' SHA-256 if they are not
            those that were drawn. For somebody's own table: the file's name and the first 8 digits of
            its SHA-256.

    Raises:
        DataError: The file that describes a drawn data set is broken.
    """
    if dataset.specification.is_table:
        return {"file": dataset.annotation_file.name, "sha256": dataset.sha256[:8]}
    if (file := drawn_file(dataset)) is None:
        return _unpublished_counts(dataset)
    about = read_drawn(file)
    try:
        names = [dataset.split] if dataset.split in SPLITS else SPLITS
        sizes = {name: int(about["counts"][name]) for name in (*names, "pictures")}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: is broken ({type(error).__name__}: {error}); draw the data set anew") from error
    usual = {"train": 1000, "val": 100, "test": 200, "pictures": 4}
    changed = {} if is_as_drawn(dataset, about) else {"annotations": dataset.sha256[:8]}
    return {"seed": int(about["seed"])} | {name: size for name, size in sizes.items() if size != usual[name]} | changed


def tell_changed_annotations(dataset: PersonDataset) -> None:
    """Log a warning where the annotations of a drawn data set are not those that were drawn.

    Raises:
        DataError: The file that describes the data set is broken.
    """
    if (file := drawn_file(dataset)) is not None and not is_as_drawn(dataset, read_drawn(file)):
        logger.warning(
            "%s: these are not the annotations that were drawn (%s has another hash): what is measured or trained on"
            " them is not comparable; draw the data set anew for what is",
            dataset.annotation_file,
            file.name,
        )


def _unpublished_counts(dataset: PersonDataset) -> dict[str, int]:
    """Return the counts of a split that are not the published ones.

    Pictures are not counted, because some layouts merge entries.
    """
    published, splits = dataset.specification.published, [dataset.split]
    if dataset.split == EVERY_SPLIT and EVERY_SPLIT not in published:
        splits = list(published)
    if not splits or not set(splits) <= set(published):
        return {}
    found = counts_of(dataset.records)
    counts = {quantity: getattr(found, quantity) for quantity in ("identities", "captions")}
    return {
        quantity: count
        for quantity, count in counts.items()
        if count != sum(getattr(published[split], quantity) for split in splits)
    }
