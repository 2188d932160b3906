"""Reading an annotation file: every record is understood completely, or reported."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.datasets.specification import SPLITS, DatasetSpecification
from tipr_zoo.errors import DataError


@dataclass(frozen=True)
class Record:
    """One annotated picture.

    Attributes:
        number: Place in the annotation file, from 0.
        split: ``train``, ``val`` or ``test``.
        identity: The person's number as annotated.
        picture: Path relative to the picture folder, with forward slashes.
        captions: One or more sentences, none of them blank.
    """

    number: int
    split: str
    identity: int
    picture: str
    captions: tuple[str, ...]


@dataclass(frozen=True)
class RecordProblem:
    """A record that cannot be used.

    Attributes:
        number: Place in the annotation file, from 0.
        split: The record's split, or None where that cannot be told.
        kind: What is wrong in a few words, e.g. ``"empty caption"``.
        message: One line naming the file, the record and the fix.
    """

    number: int
    split: str | None
    kind: str
    message: str


@dataclass(frozen=True)
class Annotations:
    """What an annotation file holds: usable records, and the problems of all others, both in the file's order."""

    file: Path
    records: list[Record]
    problems: list[RecordProblem]

    def of_split(self, split: str, specification: DatasetSpecification) -> list[Record]:
        """The records of one split.

        Raises:
            UnknownNameError: There is no such split in any data set.
            DataError: A record of this split, or of a split that cannot be told, is unusable; or the split is empty.
        """
        if split not in SPLITS:
            raise unknown_name("split", str(split), SPLITS)
        problems = [problem for problem in self.problems if problem.split in (split, None)]
        if problems:
            others = len(problems) - 1
            more = f" (and {others:,} more unusable: `tipr-zoo data check` lists them)" if others else ""
            raise DataError(problems[0].message + more)
        records = [record for record in self.records if record.split == split]
        if not records:
            present = Counter(record.split for record in self.records)
            known = ", ".join(f"{name} ({present[name]:,})" for name in SPLITS if present[name]) or "none"
            published = specification.published
            remark = f"; {specification.name} was published without it" if published and split not in published else ""
            raise DataError(f"{self.file} has no record of split {split!r}{remark}; records by split: {known}")
        return records


def read_annotations(file: Path, specification: DatasetSpecification) -> Annotations:
    """Read all splits of an annotation file.

    Args:
        file: A JSON list of records.
        specification: Which keys the records have.

    Raises:
        DataError: The file cannot be read, is not JSON, is not a list of records, or knows no identities at all.
    """
    entries = read_json(file)
    if not isinstance(entries, list):
        raise DataError(
            f"{file} holds a JSON {_json_type(entries)}, not a list of records with split, id,"
            f" {specification.path_keys[0]} and captions; use the file that {specification.name}'s authors hand out"
        )
    if not entries:
        raise DataError(f"{file} holds no records; use the file that {specification.name}'s authors hand out")
    if all(isinstance(entry, dict) and "id" not in entry for entry in entries):
        raise DataError(captions_without_identities(file, entries[0]))
    records, problems = [], []
    for number, entry in enumerate(entries):
        try:
            records.append(_read_record(entry, number, specification))
        except _UnusableRecordError as unusable:
            split = entry.get("split") if isinstance(entry, dict) and entry.get("split") in SPLITS else None
            message = f"{file}, record {number} (counted from 0){_picture_of(entry, specification)}: {unusable.message}"
            problems.append(RecordProblem(number, split, unusable.kind, message))
    return Annotations(file, records, problems)


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: The file cannot be read, is empty, is not UTF-8, or is broken; the message says where.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}; check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 (byte {error.start}); save it as UTF-8, or copy it again") from error
    if not text.strip():
        raise DataError(f"{file} is empty; copy it again from its source")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{file} is broken JSON at line {error.lineno}, column {error.colno} ({error.msg});"
            " copy it again from its source, or mend that place"
        ) from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{file} is no annotation file ({error}); copy it again from its source") from error


def captions_without_identities(file: Path, entry: Mapping[str, Any]) -> str:
    """The message for a caption dump: a list of pictures and captions that does not say who is in the picture."""
    keys = ", ".join(map(str, entry)) or "nothing"
    return (
        f"{file} has captions without identities (its first record has {keys}, no id): retrieval"
        " figures need to know which pictures show the same person; get the annotation file"
        " that the data set's authors hand out"
    )


class _UnusableRecordError(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def _read_record(entry: Any, number: int, specification: DatasetSpecification) -> Record:
    if not isinstance(entry, dict):
        raise _UnusableRecordError("not a record", f"is a JSON {_json_type(entry)}, not an object; write it as {{...}}")
    path_key = next((key for key in specification.path_keys if key in entry), specification.path_keys[0])
    split = _read_field(entry, "split", str, "one of " + ", ".join(SPLITS))
    if split not in SPLITS:
        raise _UnusableRecordError("unknown split", f"its split is {split!r}; write one of {', '.join(SPLITS)}")
    identity = _read_field(entry, "id", int, "a whole number")
    picture = _read_field(entry, path_key, str, "the picture's path below the picture folder")
    captions = _read_field(entry, "captions", list, "a list of sentences")
    _check_picture_path(picture, path_key)
    if not captions:
        raise _UnusableRecordError(
            "no caption", "its captions are an empty list; give it a caption, or remove the record"
        )
    for place, caption in enumerate(captions):
        if not isinstance(caption, str):
            raise _UnusableRecordError(
                "wrong type", f"caption {place} is a JSON {_json_type(caption)}; write it as a string"
            )
        if not caption.strip():
            raise _UnusableRecordError(
                "empty caption", f"caption {place} is empty; write one, or remove it from the list"
            )
    return Record(number, split, identity, picture, tuple(captions))


def _read_field(entry: Mapping[str, Any], key: str, kind: type, expected: str) -> Any:
    if key not in entry:
        raise _UnusableRecordError("missing field", f"it has no {key!r}; add it, {expected}")
    value = entry[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        shown = json.dumps(value, ensure_ascii=False)
        shown = shown if len(shown) <= 40 else shown[:37] + "..."
        hint = f" (without quotes: {value})" if kind is int and isinstance(value, str) and value.isdecimal() else ""
        message = f"its {key!r} is the JSON {_json_type(value)} {shown}; write {expected}{hint}"
        raise _UnusableRecordError("wrong type", message)
    return value


def _check_picture_path(picture: str, path_key: str) -> None:
    if not picture.strip():
        raise _UnusableRecordError(
            "wrong path", f"its {path_key!r} is empty; write the picture's path below the picture folder"
        )
    if picture.startswith("/") or ".." in picture.split("/") or "\0" in picture:
        raise _UnusableRecordError(
            "wrong path", f"its {path_key!r} {picture!r} leads out of the picture folder; write a path inside it"
        )


def _picture_of(entry: Any, specification: DatasetSpecification) -> str:
    if isinstance(entry, dict):
        for key in specification.path_keys:
            if isinstance(entry.get(key), str):
                return f" for {entry[key]!r}"
    return ""


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}
    return names[type(value)]
