"""The recognition of a data set by its files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tipr_zoo.datasets.annotation import Annotation, counts_of
from tipr_zoo.datasets.location import check_root, missing_annotations, sources_in
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.datasets.reading.json_annotations import read_json_annotations
from tipr_zoo.datasets.source import Source
from tipr_zoo.datasets.specification import DatasetSpecification
from tipr_zoo.datasets.splits import EVERY_SPLIT
from tipr_zoo.datasets.tables.location import has_tables
from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.machine.whole_path import whole_path
from tipr_zoo.registries import DATASETS


def recognise_dataset(root: str | os.PathLike[str], name: str | None = None) -> type[PersonDataset]:
    """Find the registered data set whose files lie in a folder, or in a folder of the data set's name below it.

    If the file names fit several data sets, the folder's name decides, then the pictures' paths, then the counts.

    Args:
        root: The folder; or the table of a custom data set.
        name: Take this data set without a look at the files.

    Raises:
        UnknownNameError: No data set of this name is registered; close names are given.
        DataError: The folder is missing. Or it has no annotation file of a registered data set. Or it has files of
            several data sets. Or nothing tells which data set its files are.
        ConfigError: What is registered is no `PersonDataset` with a ``specification``.
    """
    if name is not None:
        return _registered(name)
    root = whole_path(root)
    datasets = [_registered(each) for each in DATASETS.names() if issubclass(DATASETS.get(each), PersonDataset)]
    published = [dataset for dataset in datasets if not dataset.specification.is_table]
    table = next(dataset for dataset in datasets if dataset.specification.is_table)
    if root.is_file() and _is_own_table(root, [dataset.specification for dataset in published]):
        return table
    check_root(root)
    sources = {dataset: sources_in(root, dataset.specification) for dataset in published}
    found = _told_apart(sources)
    if len(found) > 1:
        names = [dataset.specification.name for dataset in found]
        raise DataError(
            f"{root} holds several data sets: {', '.join(names)}; say which one by its name, e.g. {names[0]!r}"
        )
    if found:
        return found[0]
    if has_tables(root):
        return table
    raise missing_annotations(root, [dataset.specification for dataset in published])


def open_dataset(root: str | os.PathLike[str], name: str | None = None, split: str = "test") -> PersonDataset:
    """Open one split of a data set.

    Args:
        root: The folder with the annotation file. Or the folder above it, if that folder has the data set's name. Or
            the table of a custom data set.
        name: A registered data set, e.g. ``"CUHK-PEDES"``. None recognises it by its files.
        split: ``train``, ``val`` or ``test``; ``all`` for the annotations of every split.

    Raises:
        UnknownNameError: No data set or split of this name exists.
        DataError: The folder holds nothing, several data sets, or something broken.
        ConfigError: See `recognise_dataset`.
    """
    return recognise_dataset(root, name)(root, split=split)


def _registered(name: str) -> type[PersonDataset]:
    """Return the data set that is registered as `name`, if it has what is promised."""
    dataset = DATASETS.get(name)
    if not isinstance(dataset, type) or not issubclass(dataset, PersonDataset):
        raise ConfigError(
            f"data set {name!r} is no subclass of PersonDataset; see Components in docs/plugin_contract.md"
        )
    if not hasattr(dataset, "specification"):
        raise ConfigError(f"data set {name!r} lacks specification; see Components in docs/plugin_contract.md")
    return dataset


def _is_own_table(file: Path, specifications: Sequence[DatasetSpecification]) -> bool:
    """Return whether a file is none of a published data set's, and so has to be a table."""
    folders = (file.absolute().parent, file.absolute().parent.parent)
    known = {
        path for folder in folders for specification in specifications for path in _known_files(folder, specification)
    }
    return file.absolute() not in known


def _known_files(folder: Path, specification: DatasetSpecification) -> Iterable[Path]:
    yield from (folder / name for name in specification.annotation_files)
    yield from (path for source in sources_in(folder, specification) for path in source.paths)


def _told_apart(sources: dict[type[PersonDataset], list[Source]]) -> list[type[PersonDataset]]:
    """Return the data sets that are there.

    Raises:
        DataError: Nothing tells which data set some files are.
    """
    found = [
        dataset
        for dataset, own in sources.items()
        if any(source.layout.names_dataset or source.is_in_own_folder for source in own)
    ]
    if found:
        return found
    possible = {dataset: own[0] for dataset, own in sources.items() if own}
    if not possible:
        return []
    annotations = {dataset: read_json_annotations(source).records for dataset, source in possible.items()}
    for is_told in (_folder_above_tells, _pictures_tell, _counts_tell):
        found = [dataset for dataset, source in possible.items() if is_told(source, annotations[dataset])]
        if len(found) == 1:
            return found
    names = [dataset.specification.name for dataset in possible]
    files = " and ".join(map(str, next(iter(possible.values())).paths))
    raise DataError(
        f"{files} could be {', '.join(names[:-1])} or {names[-1]}: neither the folder's name, nor the pictures' paths,"
        f" nor the counts tell; say which by --name of `data check`, or --dataset of `eval`, e.g. {names[0]}"
    )


def _folder_above_tells(source: Source, annotations: Sequence[Annotation]) -> bool:
    return source.specification.is_folder_name(source.folder.parent.name)


def _pictures_tell(source: Source, annotations: Sequence[Annotation]) -> bool:
    """Return whether the pictures' paths are those of this data set alone."""
    specification = source.specification
    if specification.picture_pattern is None or not annotations:
        return False
    pattern = re.compile(rf"(.*/)?{specification.picture_pattern}")
    return all(pattern.match(annotation.picture) for annotation in annotations)


def _counts_tell(source: Source, annotations: Sequence[Annotation]) -> bool:
    """Return whether a split has as many identities, pictures and captions as were published."""
    published = source.specification.published
    return any(
        counts_of(annotation for annotation in annotations if split in (annotation.split, EVERY_SPLIT)) == counts
        for split, counts in published.items()
    )
