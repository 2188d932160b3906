"""Captions in text files: ``a.txt`` beside ``a.jpg``, one caption a line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tipr_zoo.datasets.reading.json_files import Entry
from tipr_zoo.datasets.reading.text import UnknownEncodingError, decode, read_bytes
from tipr_zoo.datasets.reading.words import split_of
from tipr_zoo.errors import DataError
from tipr_zoo.pictures.files import PICTURE_SUFFIXES

COLUMNS_OF_TEXT_FILES = ("image", "caption")


def has_text_files(folder: Path) -> bool:
    """Return whether any picture below a folder has a text file of its name beside it."""
    return next(_pairs(folder), None) is not None


def text_files_of(folder: Path) -> list[Path]:
    """List the text files below a folder that stand beside a picture of their name, sorted."""
    return [file for _, file in _pairs(folder)]


def read_text_files(folder: Path) -> tuple[list[Entry], str | None]:
    """Read each picture that has a text file beside it as an entry, whose captions are the lines of that file.

    A first folder that is named after a split tells it.

    Returns:
        The entries, and one line that says how the first file was read that does not say it; see `Text`.

    Raises:
        DataError: A file cannot be read, or is in an unknown encoding.
    """
    entries, rule = [], None
    for picture, file in _pairs(folder):
        path = picture.relative_to(folder)
        try:
            text = decode(file, read_bytes(file))
        except UnknownEncodingError as error:
            raise DataError(error.message(file, f"at byte {error.start}:")) from error
        rule = rule or text.rule
        captions = [line.strip() for line in text.text.splitlines() if line.strip()]
        split = split_of(path.parts[0]) if len(path.parts) > 1 else None
        entries.append(Entry(file, 1, split, {"image": path.as_posix(), "caption": captions}))
    return entries, rule


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each picture that has a text file beside it, with that file."""
    for parent, subfolders, names in os.walk(folder):
        subfolders.sort()
        texts = {os.path.splitext(name)[0]: name for name in names if name.lower().endswith(".txt")}
        if not texts:
            continue
        for name in sorted(names):
            stem, ending = os.path.splitext(name)
            if ending.lower() in PICTURE_SUFFIXES and (text := texts.get(stem) or texts.get(name)):
                yield Path(parent, name), Path(parent, text)
