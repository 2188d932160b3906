"""The folder that picture paths start from, and the search for pictures that lie elsewhere."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from tipr_zoo.datasets.annotation import Annotation
from tipr_zoo.datasets.source import Source
from tipr_zoo.errors import DataError
from tipr_zoo.outside.files import ARCHIVE_LIMIT, opened
from tipr_zoo.terminal.suggested_command import quoted

_SAMPLE = 20
_DEPTH = 3


def find_picture_folder(source: Source, records: Iterable[Annotation]) -> Path:
    """Find the folder that the annotations' picture paths start from: the first one that has any of the pictures.

    Raises:
        DataError: No folder has any. The message says what was looked for, where, and what to do.
    """
    records = list(records)
    if (folder := picture_folder_of(source, records)) is not None:
        return folder
    fix = command_that_moves_pictures(source, records)
    advice = f"run: {fix}" if fix else f"put the pictures into {source.picture_folders[0]}"
    raise DataError(f"{where_was_looked(source, records)}; {advice}")


def picture_folder_of(source: Source, records: Sequence[Annotation]) -> Path | None:
    """Find the picture folder as `find_picture_folder` does; None if no folder has any of the pictures."""
    for folder in source.picture_folders:
        if folder.is_dir() and any(os.path.isfile(folder / annotation.picture) for annotation in records):
            return folder
    return None


def where_was_looked(source: Source, records: Sequence[Annotation]) -> str:
    """Say what is missing, and in which folders it was looked for."""
    example = f", e.g. {records[0].picture}" if records else ""
    # Only other codes use the further places. So a message lists only those that exist.
    places = [folder for place, folder in enumerate(source.picture_folders) if place < 2 or folder.is_dir()]
    looked = " and ".join(f"{place}{'' if place.is_dir() else ' (no such folder)'}" for place in places)
    others = len(source.paths) - 1
    files = f"{source.paths[0]} and {others} more name" if others else f"{source.paths[0]} names"
    return f"none of the {len(records):,} pictures that {files} is there{example}: looked in {looked}"


def command_that_moves_pictures(source: Source, records: Sequence[Annotation]) -> str | None:
    """Write the command that moves the pictures to their place, if they lie elsewhere below the data set's folder.

    The command deletes nothing. Whatever is in the way is renamed.

    Returns:
        None if the pictures are found nowhere, or if a rename is not enough.
    """
    sample = [PurePosixPath(annotation.picture) for annotation in records[:: max(1, len(records) // _SAMPLE)]]
    if not sample or any(path.is_absolute() for path in sample):
        return None
    base = source.folder
    for folder in _folders_below(base):
        for depth in range(_DEPTH):
            prefixes = {path.parts[:depth] for path in sample}
            if len(prefixes) > 1 or any(len(path.parts) <= depth for path in sample):
                break
            if any(os.path.isfile(folder.joinpath(*path.parts[depth:])) for path in sample):
                (prefix,) = prefixes
                own = base / "imgs" if not prefix else base.joinpath(*prefix)
                return rename_command(folder, own, keep=source.paths)
    return _command_that_unpacks(base, sample)


def _command_that_unpacks(base: Path, sample: Sequence[PurePosixPath]) -> str | None:
    """Write the command that unpacks a zip file with the pictures, if one lies beside the annotations."""
    wanted = {str(path) for path in sample}
    for file in sorted(base.glob("*.zip")):
        try:
            with opened(file, ARCHIVE_LIMIT) as content, zipfile.ZipFile(content) as archive:
                names = archive.namelist()
        except Exception:  # a damaged archive provokes whatever it likes
            continue
        for name in names:
            if any(f"/{name}".endswith(f"/{path}") for path in wanted):
                place = base / "imgs" if name in wanted else base
                return f"python -m zipfile -e {quoted(file)} {quoted(place)}"
    return None


def _folders_below(base: Path) -> list[Path]:
    """List the folders below one, the upper ones first, but none that is deeper than pictures can lie."""
    found, level = [], [base]
    for _ in range(_DEPTH + 1):
        level = [
            Path(entry.path)
            for folder in level
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)
            if os.path.isdir(entry.path)  # a link to itself is none
        ][:2000]
        found += level
    return found


def rename_command(folder: Path, place: Path, keep: Sequence[Path]) -> str | None:
    """Write the command that renames a folder.

    Whatever is in the way is renamed, too.

    Args:
        folder: The folder.
        place: Its new path.
        keep: Annotation files, which must stay where they are.

    Returns:
        None if annotation files would move with it, or if `place` lies inside of `folder`.
    """
    if any(path.is_relative_to(folder) or path.is_relative_to(place) for path in keep):
        return None
    if not os.path.lexists(place):  # a broken link is in the way, too
        parents = "" if place.parent.is_dir() else f"mkdir -p {quoted(place.parent)} && "
        return f"{parents}mv {quoted(folder)} {quoted(place)}"
    if place.is_relative_to(folder):
        return None
    aside = free_name(place)
    inner = aside / folder.relative_to(place) if folder.is_relative_to(place) else folder
    return f"mv {quoted(place)} {quoted(aside)} && mv {quoted(inner)} {quoted(place)}"


def free_name(path: Path) -> Path:
    """Return a path beside `path` that does not exist."""
    number = 0
    while (aside := path.with_name(f"{path.name}_before{number or ''}")).exists() or aside.is_symlink():
        number += 1
    return aside
