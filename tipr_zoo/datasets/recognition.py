"""Opening a data set without saying which one it is."""

from __future__ import annotations

import os
from pathlib import Path

from tipr_zoo.datasets.location import annotation_file_in, check_root, missing_annotations
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import DataError
from tipr_zoo.registries import DATASETS


def recognise_dataset(root: str | os.PathLike[str], name: str | None = None) -> type[PersonDataset]:
    """The registered data set whose files lie in a folder, or in a folder of the data set's name below it.

    Args:
        root: The folder.
        name: Take this data set without looking at the files.

    Raises:
        UnknownNameError: No data set of this name is registered; close names are given.
        DataError: The folder is missing, has no annotation file of a registered data set, or has several data sets'.
    """
    if name is not None:
        return DATASETS.get(name)
    root = Path(root).expanduser()
    check_root(root)
    datasets = [dataset for dataset in map(DATASETS.get, DATASETS.names()) if issubclass(dataset, PersonDataset)]
    found = [dataset for dataset in datasets if annotation_file_in(root, dataset.specification) is not None]
    if not found:
        raise missing_annotations(root, [dataset.specification for dataset in datasets])
    if len(found) > 1:
        names = [dataset.specification.name for dataset in found]
        raise DataError(
            f"{root} holds several data sets: {', '.join(names)}; say which one by its name, e.g. {names[0]!r}"
        )
    return found[0]


def open_dataset(root: str | os.PathLike[str], name: str | None = None, split: str = "test") -> PersonDataset:
    """Open one split of a data set.

    Args:
        root: The folder with the annotation file, or the folder above it if it bears the data set's name.
        name: A registered data set, e.g. ``"CUHK-PEDES"``; None recognises it by its files.
        split: ``train``, ``val`` or ``test``.

    Raises:
        UnknownNameError: No data set or split of this name exists.
        DataError: Nothing, several data sets, or something broken lies in the folder.
    """
    return recognise_dataset(root, name)(root, split=split)
