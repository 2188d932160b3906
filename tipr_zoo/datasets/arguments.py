"""What identifies the data of an evaluation, besides the data set's name."""

from __future__ import annotations

from typing import Any

from tipr_zoo.datasets.annotation import counts_of
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.splits import EVERY_SPLIT, SPLITS
from tipr_zoo.errors import DataError
from tipr_zoo.outside.files import NOTE_LIMIT, read_text
from tipr_zoo.outside.parsing import parse_json


def dataset_arguments(dataset: PersonDataset) -> dict[str, Any]:
    """Describe what distinguishes this copy from others of its name.

    Only whole copies of a published data set are all alike.

    Returns:
        For a whole copy of a published data set: nothing. For a part of one, or one with additions: how many identities
            and captions the split holds, if they are not the published counts. For a drawn data set: its seed, and its
            sizes if they are not the usual ones. For somebody's own table: the file's name and the first 8 digits of
            its SHA-256.

    Raises:
        DataError: The file that describes a drawn data set is broken.
    """
    if dataset.specification.is_table:
        return {"file": dataset.annotation_file.name, "sha256": dataset.sha256[:8]}
    file = dataset.annotation_file.parent / "synthpedes.json"
    if not file.is_file():
        return _unpublished_counts(dataset)
    try:
        about = parse_json(read_text(file, NOTE_LIMIT))
        seed, counts = int(about["seed"]), about["counts"]
        names = [dataset.split] if dataset.split in SPLITS else SPLITS
        sizes = {name: int(counts[name]) for name in (*names, "pictures")}
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise DataError(f"{file}: is broken ({type(error).__name__}: {error}); draw the data set anew") from error
    usual = {"train": 1000, "val": 100, "test": 200, "pictures": 4}
    return {"seed": seed} | {name: size for name, size in sizes.items() if size != usual[name]}


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
