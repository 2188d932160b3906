"""Which pictures of a folder a gallery is to know: parts of them, those that are gone, those that are there again."""

from __future__ import annotations

import operator
import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.errors import DataError, GalleryError
from tipr_zoo.gallery.header import PictureFolder
from tipr_zoo.gallery.records import absolute, key_of
from tipr_zoo.pictures.files import FoundPictures, find_pictures, is_other_disk
from tipr_zoo.terminal.suggested_command import quoted

_MOST_NAMES = 3


def checked_part(part: tuple[int, int]) -> tuple[int, int]:
    """Return which of how many parts one of several machines embeds.

    Args:
        part: Its number, from 1, and how many there are.

    Raises:
        GalleryError: There is no such part.
    """
    try:
        number, count = map(operator.index, part)
    except (TypeError, ValueError) as error:
        raise GalleryError(f"a part is two whole numbers, e.g. (1, 4), got {part!r}") from error
    if not 1 <= number <= count:
        raise GalleryError(f"part {number} of {count} makes no sense; the parts are 1 to {max(count, 1)}")
    return number, count


def part_of_paths(paths: Iterable[str], parts: Iterable[tuple[int, int]]) -> list[str]:
    """Return the share of the paths that is wanted.

    Args:
        paths: Absolute paths.
        parts: Checked parts; none for all.
    """
    of_count: dict[int, set[int]] = {}
    for number, count in parts:
        of_count.setdefault(count, set()).add(number - 1)
    if not of_count:
        return list(paths)
    shares = ((path, int(key_of(path)[:8], 16)) for path in paths)
    return [path for path, share in shares if any(share % count in own for count, own in of_count.items())]


def below(path: str, folder: str) -> bool:
    """Tell whether an absolute path lies in a folder, or below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


@dataclass(frozen=True)
class GonePictures:
    """Pictures of a gallery that are not in their folder any more.

    Attributes:
        paths: Those that are gone.
        remarks: In which folders none is left, and below which they stay, a line each.
        disks: The folders below it that lie on other disks, those among them where pictures stay.
    """

    paths: list[str]
    remarks: list[str]
    disks: tuple[str, ...]


def gone_pictures(known: Collection[str], before: PictureFolder, found: FoundPictures) -> GonePictures:
    """Tell which pictures of a gallery are gone from a folder.

    Those stay that lay in a folder that cannot be read, behind a link to a folder that is not there, or on a disk that
    is not there.

    Args:
        known: Absolute paths that the gallery has; none where what is gone stays.
        before: The folder as the gallery knows it.
        found: What was found in it.
    """
    folder = before.path
    there = {absolute(path) for path in found.readable}
    unread = {absolute(path) for path in found.unread_folders}
    missing = unread | {disk for disk in before.disks if not is_other_disk(disk)}
    gone: list[str] = []
    kept: Counter[str] = Counter()
    not_there_above: dict[str, str | None] = {os.path.dirname(folder): None}

    def not_there(parent: str) -> str | None:
        """Return the folder that is not there at or above a folder."""
        if parent not in not_there_above:
            above = not_there(os.path.dirname(parent)) if parent != folder else None
            is_missing = parent in missing or (os.path.islink(parent) and not os.path.exists(parent))
            not_there_above[parent] = above or (parent if is_missing else None)
        return not_there_above[parent]

    for path in known:
        if path not in there and below(path, folder):
            if (missing_folder := not_there(os.path.dirname(path))) is None:
                gone.append(path)
            else:
                kept[missing_folder] += 1
    remarks = [_kept_remark(one, count, is_unread=one in unread) for one, count in sorted(kept.items())]
    disks = {*map(absolute, found.disks), *(disk for disk in before.disks if disk in kept or not known)}
    return GonePictures(gone, [*remarks, *_emptied_remark(gone, there)], tuple(sorted(disks)))


def _kept_remark(folder: str, count: int, *, is_unread: bool) -> str:
    """Say that pictures stay though they are not found."""
    if is_unread:
        why = "which cannot be read now"
    elif os.path.islink(folder):
        why = f"a link to {os.readlink(folder)}, where nothing is"
    else:
        why = "whose disk is not there"
    return (
        f"{pictures_of(count)} below {folder}, {why}, {'stays' if count == 1 else 'stay'} in the gallery; bring it"
        " back, or name it to gallery remove"
    )


def _emptied_remark(gone: Iterable[str], there: set[str]) -> list[str]:
    """Name the folders in which no picture is left, where whoever deleted none can see it."""
    emptied = {os.path.dirname(path) for path in gone} - {os.path.dirname(path) for path in there}
    if not emptied:
        return []
    names = ", ".join(sorted(emptied)[:_MOST_NAMES]) + ", ..." * (len(emptied) > _MOST_NAMES)
    return [f"no picture is left in {names}; those that were there are removed"]


def pictures_of(count: int) -> str:
    """Say how many pictures there are."""
    return "1 picture" if count == 1 else f"{count:,} pictures"


def pictures_again(folder: Path, address: str) -> FoundPictures:
    """Find the pictures of a folder that a gallery holds pictures of.

    Args:
        folder: The folder.
        address: The gallery, for messages.

    Raises:
        DataError: The folder is not there or empty, and so may be its disk.
    """
    try:
        return find_pictures(folder)
    except DataError as error:
        raise DataError(
            f"{error}. No picture of that folder was removed; if all of them are to go: tipr-zoo gallery remove"
            f" {quoted(address)} {quoted(folder)}"
        ) from error
