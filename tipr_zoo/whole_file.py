"""Writing a file so that nobody ever finds half of it."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name first, so that it is either there as a whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    part = part_of(path)
    part.write_bytes(content)
    os.replace(part, path)


def part_of(path: Path) -> Path:
    """The name that a file has while it is written."""
    return path.with_name(path.name + ".part")
