"""Which writing of a gallery in a folder was the last: noted beside the tables, so that tables from before are told."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tipr_zoo.errors import GalleryError
from tipr_zoo.outside.files import NOTE_LIMIT, read_bytes

NAME = "last_writing.txt"

_DIGITS = 20


def note_writing(folder: Path, generation: int) -> None:
    """Note that something was written. What is on the disk already needs no second wait for the disk.

    Args:
        folder: Of the gallery.
        generation: The number that the writing has in the tables.
    """
    with suppress(OSError):  # the tables have it, and this only helps to see that they were replaced
        descriptor = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            os.pwrite(descriptor, f"{generation:0{_DIGITS}}\n".encode(), 0)
        finally:
            os.close(descriptor)


def noted_writing(folder: Path) -> int:
    """Return the number of the last writing that was noted; 0 where none is.

    Args:
        folder: Of the gallery.
    """
    try:
        return int(read_bytes(folder / NAME, NOTE_LIMIT))
    except (OSError, ValueError):
        return 0


def check_writing(folder: Path, noted: int, generation: int) -> None:
    """Check that the tables know of the last writing.

    Args:
        folder: Of the gallery.
        noted: The last that was noted, read before the tables were.
        generation: The last that the tables know of.

    Raises:
        GalleryError: They are from before it.
    """
    if generation < noted:
        raise GalleryError(
            f"the tables of the gallery {folder} lack what was written last: gallery.sqlite-wal was removed, or"
            f" gallery.sqlite replaced; bring them back, or remove {folder / NAME} and run gallery refresh, which adds"
            " again what is lost"
        )
