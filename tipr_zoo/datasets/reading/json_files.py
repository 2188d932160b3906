"""The reading of JSON files, and the search for the list of entries in one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tipr_zoo.datasets.layouts import CAPTION_KEYS, PATH_KEYS
from tipr_zoo.datasets.reading.json_shapes import records_of_shape
from tipr_zoo.datasets.reading.text import UnknownEncodingError, decode, read_bytes
from tipr_zoo.datasets.reading.words import VIEWS_OF_TEST, split_of
from tipr_zoo.datasets.splits import SPLITS
from tipr_zoo.errors import DataError
from tipr_zoo.outside.parsing import parse_json


@dataclass(frozen=True)
class Entry:
    """One entry of an annotation file, not checked yet.

    Attributes:
        file: The file.
        number: Its place, as in `tipr_zoo.datasets.annotation.Annotation`.
        split: The split that its place in the files tells; None if the entry has to say so itself.
        values: What it holds: an object if all is well.
    """

    file: Path
    number: int
    split: str | None
    values: Any


def read_json(file: Path) -> tuple[Any, str | None]:
    """Read a JSON file.

    Returns:
        What it holds, and one line that says how it was read if the file does not say it; see `Text`.

    Raises:
        DataError: The file cannot be read, is empty, is in an unknown encoding, or is broken. The message says where.
    """
    content = read_bytes(file)
    try:
        text = decode(file, content)
    except UnknownEncodingError as error:
        raise DataError(error.message(file, f"(byte {error.start});")) from error
    if not text.text.strip():
        raise DataError(f"{file} is empty; copy it again from its source")
    try:
        return parse_json(text.text, nan=True), text.rule
    except json.JSONDecodeError as error:
        raise DataError(
            f"{file} is broken JSON at line {error.lineno}, column {error.colno} ({error.msg});"
            " copy it again from its source, or mend that place"
        ) from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{file} is no annotation file ({error}); copy it again from its source") from error


def entries_in(file: Path, content: Any, split: str | None) -> tuple[list[Entry], list[str]] | None:
    """Find the entries of a file.

    They are a list, or ``{"annotations": [...]}``, or of a shape that `records_of_shape` knows, or any of these under
    each of ``train``, ``val`` and ``test`` or other words for them.

    ``query`` and ``gallery`` are two views of a test split. If there is a ``test``, they are not read. Otherwise its
    entries are those of ``query``, and those of ``gallery`` that say anything else.

    Args:
        file: The file.
        content: What it holds.
        split: The split that its name tells, if it does.

    Returns:
        The entries, and the keys of the file that hold lists and were not read. None if it holds no list of entries.
    """
    if (found := _list_of(content)) is not None:
        return _entries(file, split, found[0]), found[1]
    if split is not None or not isinstance(content, Mapping):
        return None
    lists = {key: found[0] for key, value in content.items() if (found := _list_of(value)) is not None}
    parts = [(name, key, lists.pop(key)) for name in SPLITS for key in _keys_of(name, lists)]
    if "test" not in {name for name, *_ in parts} and VIEWS_OF_TEST & set(lists):
        parts.append(("test", "query", _query_and_gallery(lists.pop("query", []), lists.pop("gallery", []))))
    if not parts:
        return None
    entries: list[Entry] = []
    for name, _, values in parts:
        entries += _entries(file, name, values, first=len(entries))
    return entries, [key for key, values in lists.items() if values]


def _keys_of(split: str, keys: Iterable[str]) -> list[str]:
    """Return the keys that name a split, but for those of its two views."""
    return [key for key in keys if key not in VIEWS_OF_TEST and split_of(str(key)) == split]


def _entries(file: Path, split: str | None, values: list[Any], first: int = 0) -> list[Entry]:
    return [Entry(file, number, split, value) for number, value in enumerate(values, start=first)]


def _query_and_gallery(query: list[Any], gallery: list[Any]) -> list[Any]:
    """Join the entries of both, without those of the gallery that say only what the query says."""
    said = set().union(*map(_pairs, query))
    return query + [entry for entry in gallery if not _pairs(entry) <= said]


def _pairs(entry: Any) -> set[tuple[str, str]]:
    """Return what an entry says: its picture with each of its captions, and with none. Any other value says itself."""
    if not isinstance(entry, Mapping):
        return {("", repr(entry))}
    picture = next((str(entry[key]) for key in PATH_KEYS if key in entry), repr(entry))
    captions: Any = next((entry[key] for key in CAPTION_KEYS if key in entry), [])
    return {(picture, ""), *((picture, str(c)) for c in (captions if isinstance(captions, list) else [captions]))}


def _list_of(value: Any) -> tuple[list[Any], list[str]] | None:
    """Return a list, the records of a known shape, or the list under ``annotations``; with keys that were not read."""
    if isinstance(value, list):
        return value, []
    if not isinstance(value, Mapping):
        return None
    if (found := records_of_shape(value)) is not None:
        return found
    annotations = value.get("annotations")
    return (annotations, []) if isinstance(annotations, list) else None


def json_type(value: Any) -> str:
    """Return JSON's name for the type of a value."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}
    return names[type(value)]
