"""The annotations of somebody's own table. A rule fills in the identity or the split if the table has none."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tipr_zoo.datasets.annotation import Annotation, AnnotationProblem, Annotations, place_in
from tipr_zoo.datasets.reading.captions import check_characters, read_captions
from tipr_zoo.datasets.reading.json_annotations import problem_of
from tipr_zoo.datasets.reading.json_files import Entry
from tipr_zoo.datasets.reading.words import VIEWS_OF_TEST, is_empty_word, split_of, stripped
from tipr_zoo.datasets.source import Source
from tipr_zoo.datasets.splits import SPLITS
from tipr_zoo.datasets.tables.addresses import AddressedPictures
from tipr_zoo.datasets.tables.columns import Columns, match_columns
from tipr_zoo.datasets.tables.location import without_shard
from tipr_zoo.datasets.tables.rows import Table, read_table
from tipr_zoo.errors import UnusableAnnotationError

_PARTED = re.compile(r"\|{1,3}|<sep>|\[SEP\]|</s>|;;|##", re.IGNORECASE)
_WHOLE = re.compile(r"[0-9]+(?:\.0+)?")

TRAIN_SHARE, VAL_SHARE = 80, 10
"""Percent of the identities that the rule deals to training and to validation."""


def split_by_rule(identity: str) -> str:
    """Deal an identity to a split by its SHA-256: 80 % train, 10 % val, 10 % test.

    This is for a table without splits. The split depends on the identity alone. So rows may be added, removed and
    moved, and nobody's split changes.

    Args:
        identity: The identity as written; the picture's path if there is none.

    >>> split_by_rule("7"), split_by_rule("8")
    ('train', 'test')
    """
    number = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") % 100
    return "train" if number < TRAIN_SHARE else "val" if number < TRAIN_SHARE + VAL_SHARE else "test"


@dataclass
class _Picture:
    """What the rows of one picture say, and whether its split is by rule."""

    entry: Entry
    split: str
    identity: str
    captions: list[str]
    is_dealt: bool


def read_table_annotations(source: Source) -> Annotations:
    """Read all splits of a custom data set.

    Raises:
        DataError: The file cannot be read or is broken, or a required column is missing.
    """
    pictures: dict[str, _Picture] = {}
    addresses = AddressedPictures(source)
    problems: list[AnnotationProblem] = []
    remarks: list[tuple[str, str]] = []
    rules: list[str] = []
    with_identities = []
    for key, file in source.files.items():
        word = without_shard(key) if key else None
        split = split_of(word) if word else None
        table = read_table(file)
        columns = match_columns(file, table.columns)
        folder = _folder_of_pictures(source, file, table, columns)
        for entry in table.entries:
            try:
                _add_row(pictures, replace(entry, split=entry.split or split), columns, folder, word, addresses)
            except UnusableAnnotationError as unusable:
                problems.append(problem_of(entry, unusable, (columns.names["image"],)))
        has_splits = split is not None or "split" in columns.names or any(entry.split for entry in table.entries)
        rules += [*([table.rule] if table.rule else []), *_rules(file, columns, has_splits)]
        remarks += [
            ("column not read", f"{file}: column {name!r} is none of those that are read") for name in columns.unknown
        ]
        remarks += [("list not read", f"{file}: {name!r} is not read") for name in table.unread]
        with_identities.append("identity" in columns.names)
    rules += [addresses.rule] if addresses.rule else []
    remarks += _joined_captions(source.paths[0], pictures)
    if any(with_identities) and (example := _drop_decimals(pictures)):
        rules.append(
            f"{source.paths[0]} writes identities as {example}, as pandas does: they are read as whole numbers"
        )
    number_of, names = _numbered(pictures, has_identities=any(with_identities))
    annotations = [
        Annotation(p.entry.number, p.split, number_of[p.identity], path, tuple(p.captions), p.entry.file)
        for path, p in pictures.items()
    ]
    return Annotations(source.paths, annotations, problems, tuple(rules), tuple(remarks), names)


def _folder_of_pictures(source: Source, file: Path, table: Table, columns: Columns) -> str:
    """Return the folder below the data set's that a table's paths start from, with a slash at its end.

    A table in a folder of its split, as ``train/metadata.csv``, names pictures beside itself.
    """
    if file.is_dir() or file.parent == source.folder:
        return ""
    own = file.parent.relative_to(source.folder).as_posix() + "/"
    sample = [
        entry.values.get(columns.names["image"]) for entry in table.entries[:20] if isinstance(entry.values, dict)
    ]
    beside = [own, *(f"{own}{name}/" for name in source.specification.picture_folders if name != "."), ""]
    for folder in beside:
        if any(isinstance(path, str) and os.path.isfile(source.folder / folder / path) for path in sample):
            return folder
    named = [path for path in sample if isinstance(path, str)]
    return "" if any(os.path.isfile(folder / path) for folder in source.picture_folders for path in named) else own


def _rules(file: Path, columns: Columns, has_splits: bool) -> list[str]:
    rules = []
    if "identity" not in columns.names:
        rules.append(
            f"{file} has no identities: each picture is a person of its own, so that other pictures of the same person"
            " count as wrong"
        )
    if not has_splits:
        whom = "identities" if "identity" in columns.names else "pictures"
        rules.append(
            f"{file} has no splits: {whom} are dealt to train, val and test {TRAIN_SHARE}/{VAL_SHARE}/"
            f"{100 - TRAIN_SHARE - VAL_SHARE} by a hash of each; split 'all' takes every record"
        )
    return rules


def _add_row(
    pictures: dict[str, _Picture],
    entry: Entry,
    columns: Columns,
    folder: str,
    word: str | None,
    addresses: AddressedPictures,
) -> None:
    """Add one row: a new picture, or a further caption of a known one.

    Args:
        pictures: The pictures so far, by path.
        entry: The row.
        columns: The columns of its table.
        folder: The folder that its paths start from; see `_folder_of_pictures`.
        word: The word for its table's split, if that has one.
        addresses: Finds the pictures of rows that name addresses in the web.
    """
    row = entry.values
    if isinstance(row, str):
        raise UnusableAnnotationError("broken row", row)
    if not isinstance(row, dict):
        raise UnusableAnnotationError("not a record", "is no object; write it as {...}")
    is_view = word in VIEWS_OF_TEST or _is_view_of_test(row, columns)
    path = addresses.read(_cell(row, columns, "image"), columns.names["image"], folder)
    cell = row.get(columns.names["caption"])
    if is_view and path in pictures and (_is_empty(cell) or not stripped(str(cell)) or is_empty_word(str(cell))):
        return  # the gallery's view of a picture whose captions are queries
    captions = read_captions("" if _is_empty(cell) else cell)
    identity = _cell(row, columns, "identity") if "identity" in columns.names else path
    split = _split(row, columns, entry, identity)
    is_dealt = "split" not in columns.names and not entry.split
    known = pictures.setdefault(path, _Picture(entry, split, identity, [], is_dealt))
    place = place_in(known.entry.file, known.entry.number)
    for field, here, before in (("identity", identity, known.identity), ("split", split, known.split)):
        if here != before:
            raise UnusableAnnotationError(
                f"{field} differs",
                f"its {field} is {here!r}, and {before!r} in {place} of the same picture; keep one",
                concerns_every_split=True,
            )
    texts = [stripped(caption) for caption in captions]
    known.captions += [text for text in texts if not (is_view and text in known.captions)]


def _is_view_of_test(row: Mapping[str, Any], columns: Columns) -> bool:
    """Return whether a row is of the query or the gallery, which may both name one picture."""
    return "split" in columns.names and str(row.get(columns.names["split"])).strip().casefold() in VIEWS_OF_TEST


def _split(row: Mapping[str, Any], columns: Columns, entry: Entry, identity: str) -> str:
    if "split" not in columns.names:
        return entry.split or split_by_rule(identity)
    text = _cell(row, columns, "split")
    if (split := split_of(text)) is None:
        raise UnusableAnnotationError("unknown split", f"its split is {text!r}; write one of {', '.join(SPLITS)}")
    if entry.split not in (None, split):
        raise UnusableAnnotationError(
            "split differs",
            f"its split is {text!r}, though it lies among those of {entry.split}; remove one of the two",
            concerns_every_split=True,
        )
    return split


def _is_empty(value: Any) -> bool:
    """Return whether a cell holds nothing: null, or the NaN that pandas writes for it."""
    return value is None or (isinstance(value, float) and value != value)


def _cell(row: Mapping[str, Any], columns: Columns, field: str) -> str:
    """Read a cell as text."""
    column = columns.names[field]
    value = row.get(column)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if _is_empty(value) or isinstance(value, (list, dict, bool, float)):
        kind, found = ("missing field", "is empty") if _is_empty(value) else ("wrong type", f"is {value!r}")
        raise UnusableAnnotationError(kind, f"its {column!r} {found}; write one text or whole number")
    if not (text := stripped(str(value))):
        raise UnusableAnnotationError("missing field", f"its {column!r} is empty; fill it in, or remove the row")
    check_characters(text, f"its {column!r}")
    if is_empty_word(text) or (field == "identity" and not any(map(str.isalnum, text))):
        raise UnusableAnnotationError(
            "missing field",
            f"its {column!r} is {text!r}, which is written for an empty cell; fill it in, or remove the row",
        )
    return text


def _joined_captions(file: Path, pictures: Mapping[str, _Picture]) -> list[tuple[str, str]]:
    """Remark captions that may be several in one cell. What parts them is not guessed."""
    found = [
        (text, match[0])
        for p in pictures.values()
        for text in p.captions
        if (match := _PARTED.search(text)) is not None
    ]
    if not found:
        return []
    text, mark = found[0]
    shown = repr(text if len(text) <= 60 else text[:57] + "...")
    message = (
        f"{file}: {len(found):,} captions hold {mark.strip()!r}, e.g. {shown}, and are read as one caption each; if"
        ' they are several, write ["one caption", "another"], or one caption a row'
    )
    return [("several captions in a cell", message)]


def _drop_decimals(pictures: Mapping[str, _Picture]) -> str | None:
    """Write identities such as 12.0 as 12 where all are whole numbers; return one that was written so."""
    texts = {picture.identity for picture in pictures.values()}
    example = next((text for text in sorted(texts) if not text.isdecimal()), None)
    if example is None or not all(_WHOLE.fullmatch(text) for text in texts):
        return None
    for picture in pictures.values():
        picture.identity = picture.identity.partition(".")[0]
        picture.split = split_by_rule(picture.identity) if picture.is_dealt else picture.split
    return example


def _numbered(pictures: Mapping[str, _Picture], has_identities: bool) -> tuple[dict[str, int], dict[int, str]]:
    """Number the identities, and return the text of each number if the identities are not numbers themselves."""
    texts = list(dict.fromkeys(picture.identity for picture in pictures.values()))
    if not has_identities:
        return {text: number for number, text in enumerate(texts)}, {}
    # 7 and 007 may be two people. And a number has to fit into 64 bits.
    if all(text.isdecimal() and len(text) <= 18 for text in texts) and len({int(text) for text in texts}) == len(texts):
        return {text: int(text) for text in texts}, {}
    numbers = {text: number for number, text in enumerate(sorted(texts))}
    return numbers, {number: text for text, number in numbers.items()}
