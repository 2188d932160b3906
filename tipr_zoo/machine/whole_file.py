"""Whole files: written so that nobody ever finds half of one, and hashed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

CHUNK = 1 << 20
"""Bytes that are read at once."""


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


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
