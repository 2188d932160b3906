"""Where facts of pictures come from: a table, or a pattern of the paths of pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from tipr_zoo.datasets.reading.paths import read_picture_path
from tipr_zoo.datasets.reading.words import is_empty_word
from tipr_zoo.datasets.tables.rows import read_table
from tipr_zoo.errors import GalleryError, UnusableAnnotationError
from tipr_zoo.gallery.facts import KINDS, TEXT, check_name, check_value, common_kind, read_value
from tipr_zoo.gallery.records import Box, absolute, checked_box
from tipr_zoo.protocols.engines import Fact

PICTURE_COLUMNS = ("picture", "path", "image", "file", "file_path", "filename", "img_path")
"""Names of the column of a table that says which picture a row is of; the first that is there."""

BOX_COLUMN = "box"

_PLACE = re.compile(r"\{([^{}]*)\}|(\*\*/)|(\*)")


@dataclass
class KnownFacts:
    """Facts of pictures by path, and boxes where they say some.

    Attributes:
        facts: Facts by absolute path and box.
        boxes: Boxes by absolute path.
        unmatched: Rows of a table that name no picture that was found; or pictures that the pattern does not fit.
        told: What is to be said of the source, in one line; empty where there is nothing.
    """

    facts: dict[tuple[str, Box | None], dict[str, Fact]] = field(default_factory=dict)
    boxes: dict[str, list[Box]] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)
    told: str = ""

    def of(self, path: str, box: Box | None) -> dict[str, Fact]:
        """Return the facts of a picture, with those of its box; none where nothing is known."""
        whole = self.facts.get((path, None), {})
        return dict(whole) if box is None else {**whole, **self.facts.get((path, box), {})}


def read_fact_table(file: Path, folder: Path, found: Iterable[str], kinds: Mapping[str, str]) -> KnownFacts:
    """Read facts from a table: CSV, TSV, JSON Lines, JSON or parquet.

    One column names the picture (see `PICTURE_COLUMNS`), by a path from the folder of the pictures or of the table, or
    from the root. A column ``box`` holds left, top, right and bottom. Every other column is a fact. In a table of texts
    a fact is a number where each of its values is one as it is written, else text; a column ``age:number`` or
    ``code:text`` says it. An empty cell is no fact.

    Args:
        file: The table.
        folder: The folder of the pictures.
        found: Absolute paths of all pictures there.
        kinds: Kinds of the gallery's facts by name, which the columns must have.

    Raises:
        DataError: The table cannot be read.
        GalleryError: It has no column of pictures, a fact that cannot be kept, or two rows of one picture that differ.
    """
    table = read_table(file)
    column = next((name for name in PICTURE_COLUMNS if name in table.columns), None)
    if column is None:
        raise GalleryError(
            f"{file} has no column that names the picture; call it {PICTURE_COLUMNS[0]!r} (there are"
            f" {', '.join(map(repr, table.columns))})"
        )
    pictures, known = set(found), KnownFacts(told=table.rule or "")
    rows: list[tuple[str, str, Box | None, dict[str, Any]]] = []
    for entry in table.entries:
        place = f"{file}, line {entry.number}" if file.suffix.lower() != ".parquet" else f"{file}, row {entry.number}"
        if not isinstance(entry.values, dict):
            raise GalleryError(f"{place}: {entry.values if isinstance(entry.values, str) else 'it is no object'}")
        cells = dict(entry.values)
        path = _picture(cells.pop(column, None), place, column, (folder, file.parent), pictures)
        box = _box(cells.pop(BOX_COLUMN, None), place)
        if path not in pictures:
            known.unmatched.append(path)
            continue
        rows.append((place, path, box, cells))
    readers = _columns([name for name in table.columns if name not in (column, BOX_COLUMN)], rows, kinds, file)
    for place, path, box, cells in rows:
        facts = {
            reader.name: value for name, reader in readers.items() if (value := reader(cells, name, place)) is not None
        }
        if known.facts.setdefault((path, box), facts) != facts:
            raise GalleryError(f"{place}: {path} stands here a second time, with other facts; keep one of the two rows")
        if box is not None and box not in known.boxes.setdefault(path, []):
            known.boxes[path].append(box)
    return known


def read_path_pattern(pattern: str, folder: Path, found: Sequence[str], kinds: Mapping[str, str]) -> KnownFacts:
    """Read facts off the paths of pictures.

    >>> compiled = compile_pattern("cam{camera}/{person}_*")[0]
    >>> compiled.fullmatch("cam3/0007_1.jpg").groups()
    ('3', '0007')

    Args:
        pattern: Of the path from the folder, with ``/`` between its parts. ``{camera}`` is a fact, as short as it can
            be and without a ``/``; ``{age:number}`` says its kind. ``*`` is anything without a ``/``, and ``**/`` any
            folders.
        folder: The folder of the pictures.
        found: Absolute paths of all pictures there.
        kinds: Kinds of the gallery's facts by name.

    Raises:
        GalleryError: The pattern makes no sense, or fits no picture.
    """
    compiled, names = compile_pattern(pattern)
    known, texts = KnownFacts(), []
    for path in found:
        name = PurePath(os.path.relpath(path, absolute(folder))).as_posix()
        match = compiled.fullmatch(name)
        if match is None:
            known.unmatched.append(path)
        else:
            texts.append((path, [_plain(text) for text in match.groups()]))
    if not texts and found:
        example = PurePath(os.path.relpath(found[0], absolute(folder))).as_posix()
        raise GalleryError(
            f"the pattern {pattern!r} fits none of the {len(found):,} pictures, {example!r} among them; it is of the"
            " path from the folder on, e.g. 'cam{camera}/{person}_*'"
        )
    for place, (name, kind) in enumerate(names):
        values = [row[place] for _, row in texts]
        kind = kind or kinds.get(name) or common_kind(values)
        for path, row in texts:
            value = read_value(name, row[place], kind)
            check_value(name, value)
            known.facts.setdefault((path, None), {})[name] = value
    return known


def compile_pattern(pattern: str) -> tuple[re.Pattern[str], list[tuple[str, str | None]]]:
    """Turn a pattern of paths into a regular expression, and the names of its facts with their kinds.

    Args:
        pattern: See `read_path_pattern`.

    Raises:
        GalleryError: It names no fact, one twice, or one that cannot be kept.
    """
    parts, names, last = [], [], 0
    for match in _PLACE.finditer(pattern):
        parts.append(re.escape(pattern[last : match.start()]))
        last = match.end()
        if match[1] is not None:
            names.append(split_kind(match[1]))
            parts.append("([^/]+?)")
        else:
            parts.append("(?:.*/)?" if match[2] else "[^/]*")
    parts.append(re.escape(pattern[last:]))
    if not names or len({name for name, _ in names}) < len(names):
        what = "names one fact twice" if names else "names no fact"
        raise GalleryError(f"the pattern {pattern!r} {what}; write e.g. 'cam{{camera}}/{{person}}_*'")
    return re.compile("".join(parts), re.DOTALL), names


def split_kind(name: str) -> tuple[str, str | None]:
    """Split ``age:number`` into the name of a fact and its kind; None where it says none.

    Args:
        name: The name of a column or in a pattern.

    Raises:
        GalleryError: There is no such kind, or no fact can be called so.
    """
    fact, colon, kind = name.partition(":")
    check_name(fact)
    if colon and kind not in KINDS:
        raise GalleryError(f"{name!r}: there is no kind {kind!r}; a fact is one of {', '.join(KINDS)}")
    return fact, kind or None


@dataclass(frozen=True)
class _Column:
    """One column of facts.

    Attributes:
        name: The fact.
        kind: What texts are read as; None where the values are of their own kinds, as in JSON.
    """

    name: str
    kind: str | None

    def __call__(self, cells: Mapping[str, Any], column: str, place: str) -> Fact | None:
        value = cells.get(column)
        if value is None or (isinstance(value, str) and (not value.strip() or is_empty_word(value.strip()))):
            return None
        try:
            if isinstance(value, float) and value != value:  # as pandas writes an empty cell
                return None
            read = read_value(self.name, value.strip(), self.kind) if isinstance(value, str) and self.kind else value
            if self.kind == TEXT and not isinstance(read, str):
                read = str(read)
            check_value(self.name, read)
        except GalleryError as error:
            raise GalleryError(f"{place}: {error}") from error
        return read


def _columns(
    names: Iterable[str],
    rows: Sequence[tuple[str, str, Box | None, dict[str, Any]]],
    kinds: Mapping[str, str],
    file: Path,
) -> dict[str, _Column]:
    """Return the reader of each column of facts."""
    readers: dict[str, _Column] = {}
    for name in names:
        try:
            fact, kind = split_kind(name)
        except GalleryError as error:
            raise GalleryError(f"{file}: {error}") from error
        values = [cells.get(name) for *_, cells in rows]
        texts = [value.strip() for value in values if isinstance(value, str)]
        texts = [text for text in texts if text and not is_empty_word(text)]
        if kind is None:
            kind = kinds.get(fact)
        if kind is None and file.suffix.lower() in (".csv", ".tsv"):
            kind = common_kind(texts)
        if any(reader.name == fact for reader in readers.values()):
            raise GalleryError(f"{file} has two columns of the fact {fact!r}; remove one")
        readers[name] = _Column(fact, kind)
    return readers


def _picture(cell: Any, place: str, column: str, folders: Sequence[Path], pictures: set[str]) -> str:
    """Return the absolute path of the picture that a row names."""
    if not isinstance(cell, str) or not cell.strip():
        raise GalleryError(f"{place}: it names no picture in {column!r}")
    try:
        text = read_picture_path(cell, column, may_be_absolute=True)
    except UnusableAnnotationError as error:
        raise GalleryError(f"{place}: {error}") from error
    places = [absolute(folder / text) for folder in folders]
    return next((path for path in places if path in pictures), places[0])


def _box(cell: Any, place: str) -> Box | None:
    if cell is None or (isinstance(cell, str) and (not cell.strip() or is_empty_word(cell.strip()))):
        return None
    return checked_box(re.findall(r"-?\d+", cell) if isinstance(cell, str) else cell, place)


def _plain(text: str) -> str:
    """Return a text that every engine can keep: a byte of a name that is no text is written as an escape."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
