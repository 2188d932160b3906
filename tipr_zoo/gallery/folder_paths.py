"""Which pictures of a folder a gallery is to know: a part of them, those that are gone, those that are there again."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tipr_zoo.errors import DataError, GalleryError
from tipr_zoo.gallery.records import key_of
from tipr_zoo.pictures.files import FoundPictures, find_pictures
from tipr_zoo.terminal.suggested_command import quoted


def part_of_paths(paths: Iterable[str], part: tuple[int, int] | None) -> list[str]:
    """Return the share of the paths that one of several machines embeds.

    Args:
        paths: Absolute paths.
        part: Which of how many parts, from 1; None for all.

    Raises:
        GalleryError: There is no such part.
    """
    if part is None:
        return list(paths)
    try:
        number, count = map(operator.index, part)
    except (TypeError, ValueError) as error:
        raise GalleryError(f"a part is two whole numbers, e.g. (1, 4), got {part!r}") from error
    if not 1 <= number <= count:
        raise GalleryError(f"part {number} of {count} makes no sense; the parts are 1 to {max(count, 1)}")
    return [path for path in paths if int(key_of(path)[:8], 16) % count == number - 1]


def below(path: str, folder: str) -> bool:
    """Tell whether an absolute path lies in a folder, or below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def gone_paths(known: Iterable[str], folder: str, paths: Sequence[str]) -> list[str]:
    """Return the paths of a gallery that lie in a folder and are not there any more.

    Args:
        known: Absolute paths that the gallery has.
        folder: The folder's absolute path.
        paths: Absolute paths of the pictures that were found in it.

    Raises:
        DataError: They lay behind a link to a folder that is not there, as one on a disk that is not there.
    """
    there = set(paths)
    gone = [path for path in known if path not in there and below(path, folder)]
    looked_at: set[str] = set()
    for path in gone:
        parent = os.path.dirname(path)
        while parent not in looked_at and below(parent, folder):
            looked_at.add(parent)
            if os.path.islink(parent) and not os.path.exists(parent):
                raise DataError(
                    f"{parent} is a link to {os.readlink(parent)}, where nothing is; no picture was removed. Bring that"
                    " folder back, or remove the link if its pictures are to go"
                )
            parent = os.path.dirname(parent)
    return gone


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
