"""Whole folders, of which nobody ever finds a half."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tipr_zoo.machine.whole_file import part_of, remove_parts


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a part to write files into, which becomes the folder when the block ends without an error.

    If the block raises, or its process is killed, there is no folder. The next call removes an abandoned part.

    Args:
        folder: The folder. It does not exist, or it is empty. The folder above it exists.

    Yields:
        The part: an empty folder beside `folder`.

    Raises:
        OSError: The folder cannot be made.
    """
    remove_parts(folder.parent)
    part = part_of(folder)
    try:
        part.mkdir()
        yield part
        with suppress(OSError):  # Windows moves nothing to a place where something is
            folder.rmdir()
        os.replace(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
