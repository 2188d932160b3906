"""Files of the cache that hold a text and its checksum, so that a changed one is not trusted."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tipr_zoo.machine.whole_file import remove_parts, write_whole
from tipr_zoo.outside.files import CACHE_LIMIT, read_text


def read_checked(path: Path) -> str | None:
    """Read a text that `write_checked` wrote; None where there is no file, or its checksum is wrong.

    Args:
        path: The file.

    Raises:
        OSError: It is there and cannot be read.
    """
    try:
        checksum, _, text = read_text(path, CACHE_LIMIT).partition("\n")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return text if checksum == _checksum(text) else None


def write_checked(path: Path, text: str) -> None:
    r"""Write a text behind its checksum, whole or not at all. Its folder is made.

    Args:
        path: The file.
        text: The text; its lines end in ``\n``.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_parts(path.parent)
    write_whole(path, f"{_checksum(text)}\n{text}".encode(), must_last=False)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
