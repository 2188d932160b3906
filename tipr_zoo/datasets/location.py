"""The search for a data set's annotation files below a folder, and for their layout."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from tipr_zoo.datasets.layouts import LAYOUTS, OFFICIAL, TABLE
from tipr_zoo.datasets.source import Source
from tipr_zoo.datasets.specification import DatasetSpecification
from tipr_zoo.datasets.tables.location import find_tables, has_tables
from tipr_zoo.datasets.unread_files import unread_files
from tipr_zoo.errors import DataError
from tipr_zoo.terminal.suggested_command import quoted, suggested_command

_FILES_NAMED = 3
_FOLDERS_LOOKED_AT = 20


def check_root(root: Path) -> None:
    """Check that `root` is a folder.

    Raises:
        DataError: It does not exist, or it is a file.
    """
    if not root.exists():
        raise DataError(
            f"no folder at {root}; check the path, or draw a data set there with `tipr-zoo data synth {quoted(root)}`"
        )
    if not root.is_dir():
        raise DataError(f"{root} is a file; name the folder that holds the data set")


def find_source(root: Path, specification: DatasetSpecification) -> Source:
    """Find the files of a data set in `root`, or in a folder of the data set's name below it, in any layout.

    If files of several layouts lie there, the first of `LAYOUTS` is taken.

    Raises:
        DataError: There is none, and the message lists what was looked for. Or two different files could be meant.
    """
    if specification.is_table:
        tables = {split: table.absolute() for split, table in find_tables(root).items()}
        folder = root.absolute() if root.is_dir() else root.absolute().parent
        return Source(specification, TABLE, folder, tables)
    check_root(root)
    found = sources_in(root, specification)
    if not found:
        raise missing_annotations(root, [specification])
    return _preferred(root, found)


def sources_in(root: Path, specification: DatasetSpecification) -> list[Source]:
    """Find every layout of a data set in `root` or in a folder of its name, the preferred one first.

    If the file names of a layout fit several data sets, the layout is found for each of these.
    """
    layouts = (OFFICIAL,) if specification.beside else LAYOUTS
    return [
        Source(specification, layout, folder.absolute(), {split: file.absolute() for split, file in files.items()})
        for layout in layouts
        for folder in _folders(root, specification)
        if _neighbours_fit(folder, specification)
        for files in layout.files_in(folder, specification)
    ]


def missing_annotations(root: Path, specifications: Sequence[DatasetSpecification]) -> DataError:
    """Return the error for a folder that has annotations of none of these data sets."""
    for specification in specifications:
        for folder in (root, root / specification.name):
            if (error := _wrong_neighbours(folder, specification)) is not None:
                return error
    # The message stays short: of many data sets it names those that people have.
    named = [specification for specification in specifications if specification.nickname] or specifications
    wanted = "; ".join(f"{' or '.join(s.annotation_files)} for {s.name}" for s in named)
    subfolders = ", ".join(f"{specification.name}/" for specification in named)
    return DataError(
        f"no annotation file in {root}: looked there and in {subfolders} below it for {wanted}; for other codes'"
        " layouts of these, and for a table of image and caption (.csv, .tsv, .jsonl, .json);"
        f" {_found_below(root, specifications) or _not_understood(root) or 'name the folder that holds one'}"
    )


def _folders(root: Path, specification: DatasetSpecification) -> list[Path]:
    names = sorted(entry.name for entry in os.scandir(root) if os.path.isdir(entry.path))  # a link to itself is none
    return [root, *(root / name for name in names if specification.is_folder_name(name))]


def _preferred(root: Path, found: Sequence[Source]) -> Source:
    """Return the first of several sources, if all others of its layout hold the same.

    Raises:
        DataError: They do not.
    """
    # Some files say by their name or folder what they are. They go before those that any data set may have.
    found = sorted(found, key=lambda source: not (source.layout.names_dataset or source.is_in_own_folder))
    first = found[0]
    for other in found[1:]:
        if other.layout is not first.layout:
            continue
        for file, twin in zip(first.paths, other.paths, strict=False):
            if first.files.keys() != other.files.keys() or not filecmp.cmp(file, twin, shallow=False):
                raise DataError(
                    f"{root} has two different annotation files of {first.specification.name}: {file} and {twin};"
                    " remove one, or name the folder that holds the right one"
                )
    return first


def _neighbours_fit(folder: Path, specification: DatasetSpecification) -> bool:
    return all((folder / name).is_file() for name in specification.beside) and not any(
        (folder / name).is_file() for name in specification.never_beside
    )


def _wrong_neighbours(folder: Path, specification: DatasetSpecification) -> DataError | None:
    """Return the error for files that lie beside the wrong files, or without the right ones."""
    beside = [name for name in specification.never_beside if (folder / name).is_file()]
    files = [name for name in specification.annotation_files if (folder / name).is_file()]
    marks = [name for name in specification.beside if (folder / name).is_file()]
    if marks and not files:
        return DataError(
            f"{folder} has {marks[0]} without {specification.annotation_files[0]}, so {specification.name} is"
            " incomplete there; draw it again with the same settings, which goes on where it stopped,"
            " or copy it again"
        )
    absent = [name for name in specification.beside if not (folder / name).is_file()]
    if beside and files:
        return DataError(
            f"{folder / files[0]} is not {specification.name}: {beside[0]} beside it marks another data set;"
            " leave the name out to have the data set recognised"
        )
    if absent and files:
        return DataError(
            f"{folder / files[0]} is not {specification.name}: there is no {absent[0]} beside it;"
            " leave the name out to have the data set recognised"
        )
    return None


def _found_below(root: Path, specifications: Sequence[DatasetSpecification]) -> str:
    """Name annotations that lie deeper than the search went, or in the folder above; empty text if there are none."""
    below = [path for pattern in ("*", "*/*") for path in sorted(root.glob(pattern)) if path.is_dir()]
    for folder in [*below, root.absolute().parent]:
        for specification in specifications:
            try:
                sources = [source for source in sources_in(folder, specification) if source.layout.names_dataset]
            except OSError:
                continue  # the search only helps to explain what is missing
            if sources:
                command = suggested_command("tipr-zoo", "data", "check", folder)
                return f"found {sources[0].paths[0]}: name that folder, as in `{command}`"
    return ""


def _not_understood(root: Path) -> str:
    """Name the files in a folder, or in folders of it, that look like annotations; empty text if there are none."""
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())[:_FOLDERS_LOOKED_AT]]
    for folder in folders[1:]:
        if has_tables(folder, text_files=False):
            command = suggested_command("tipr-zoo", "data", "check", folder)
            return f"found a table in {folder}: name that folder, as in `{command}`"
    found = list(islice((each for folder in folders for each in unread_files(folder)), _FILES_NAMED + 1))
    named = ", ".join(f"{file} ({kind})" for file, kind in found[:_FILES_NAMED])
    more = " and more" if len(found) > _FILES_NAMED else ""
    return f"found and not understood: {named}{more}; write a table, or name the folder that holds one" if found else ""
