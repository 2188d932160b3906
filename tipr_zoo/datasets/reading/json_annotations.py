"""The reading of a published data set's annotations: every entry is understood completely, or reported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tipr_zoo.datasets.annotation import Annotation, AnnotationProblem, Annotations, place_in
from tipr_zoo.datasets.layouts import CAPTION_KEYS, FURTHER_CAPTION_KEYS, PATH_KEYS, Layout
from tipr_zoo.datasets.reading.captions import read_captions
from tipr_zoo.datasets.reading.json_files import Entry, entries_in, json_type, read_json
from tipr_zoo.datasets.reading.paths import is_absolute, read_picture_path
from tipr_zoo.datasets.reading.words import split_of
from tipr_zoo.datasets.source import Source
from tipr_zoo.datasets.splits import SPLITS
from tipr_zoo.errors import DataError, UnusableAnnotationError

_LARGEST_IDENTITY = 2**63 - 1  # the largest number in an int64 tensor of identities


def read_json_annotations(source: Source) -> Annotations:
    """Read all splits of a published data set.

    Raises:
        DataError: A file cannot be read, is not JSON, or holds no annotations. Or no entry at all has an identity, or
            none has a split.
    """
    entries, remarks, rules = _entries_of(source)
    annotations: list[Annotation] = []
    problems: list[AnnotationProblem] = []
    rows_of: dict[tuple[str, int, str], int] = {}
    may_be_absolute = _are_all_absolute(entries)
    for entry in entries:
        try:
            annotation, is_row = _read_annotation(entry, source.layout, may_be_absolute)
        except UnusableAnnotationError as unusable:
            problems.append(problem_of(entry, unusable))
            continue
        key = (annotation.split, annotation.identity, annotation.picture)
        if is_row and not source.specification.one_caption_a_picture:
            if key in rows_of:
                known = annotations[rows_of[key]]
                annotations[rows_of[key]] = known.with_row(annotation)
                continue
            rows_of[key] = len(annotations)
        annotations.append(annotation)
    return Annotations(source.paths, annotations, problems, tuple(rules), tuple(remarks))


def _are_all_absolute(entries: list[Entry]) -> bool:
    """Return whether each picture's path is of some machine, as other codes write them into copies."""
    return all(
        isinstance(entry.values, dict)
        and any(
            isinstance(path := entry.values.get(key), str) and is_absolute(path.replace("\\", "/")) for key in PATH_KEYS
        )
        for entry in entries
    )


def problem_of(entry: Entry, unusable: UnusableAnnotationError, keys: Sequence[str] = PATH_KEYS) -> AnnotationProblem:
    """Describe an entry that cannot be used, with its place and its picture.

    Args:
        entry: The entry.
        unusable: Why it cannot be used.
        keys: Keys under which it may hold the picture's path.
    """
    values = entry.values if isinstance(entry.values, dict) else {}
    word = values.get("split")
    split = entry.split or (split_of(word) if isinstance(word, str) else None)
    split = None if unusable.concerns_every_split else split
    picture = next((f" for {values[key]!r}" for key in keys if isinstance(values.get(key), str) and values[key]), "")
    message = f"{entry.file}, {place_in(entry.file, entry.number)}{picture}: {unusable.message}"
    return AnnotationProblem(entry.number, split, unusable.kind, message, entry.file)


def _entries_of(source: Source) -> tuple[list[Entry], list[tuple[str, str]], list[str]]:
    """Return the entries of all files, remarks on what was not read, and the rules by which files were read.

    Raises:
        DataError: A file holds no list of entries, or its entries lack something that every annotation needs.
    """
    entries: list[Entry] = []
    remarks: list[tuple[str, str]] = []
    rules: list[str] = []
    owner = f"use the file that {source.specification.name}'s authors hand out"
    for split, file in source.files.items():
        content, rule = read_json(file)
        rules += [rule] if rule else []
        found = entries_in(file, content, split)
        if found is None:
            keys = ", ".join(map(str, content)) if isinstance(content, dict) else ""
            raise DataError(
                f"{file} holds a JSON {json_type(content)}{f' of {_shortened(keys)}' if keys else ''}, not a list of"
                f" records with split, id, {PATH_KEYS[0]} and captions; {owner}"
            )
        entries += found[0]
        if found[1]:
            remarks.append(("list not read", f"{file}: not read beside the splits: {', '.join(found[1])}"))
    if not entries:
        files = " and ".join(map(str, source.paths))
        raise DataError(f"{files} {'holds' if len(source.paths) == 1 else 'hold'} no records; {owner}")
    _check_every_entry(entries, source)
    remarks += _further_captions(entries, source)
    return entries, remarks, rules


def _further_captions(entries: list[Entry], source: Source) -> list[tuple[str, str]]:
    """Return a remark for each key under which entries have further wordings of their captions."""
    remarks = []
    files = " and ".join(map(str, source.paths))
    for key in FURTHER_CAPTION_KEYS:
        having = [entry.values for entry in entries if isinstance(entry.values, dict) and entry.values.get(key)]
        lists = [(each[key], each.get(CAPTION_KEYS[0])) for each in having]
        uneven = sum(isinstance(a, list) and isinstance(b, list) and len(a) != len(b) for a, b in lists)
        told = (
            f"; {uneven:,} of them have not one for each caption, so that no augmentation can take them"
            if uneven
            else ""
        )
        if having:
            message = (
                f"{files}: {len(having):,} records have further captions ({key}), for an augmentation that asks{told}"
            )
            remarks.append(("further captions", message))
    return remarks


def _check_every_entry(entries: list[Entry], source: Source) -> None:
    """Raise a DataError if no entry has an identity, or if no entry has a split."""
    first = entries[0]
    objects = [entry.values for entry in entries if isinstance(entry.values, dict)]
    if len(objects) < len(entries) or not objects:
        return
    keys = _shortened(", ".join(map(str, objects[0])) or "nothing")
    if not any(key in values for values in objects for key in source.layout.identity_keys):
        raise DataError(
            f"{first.file} has captions without identities (its first record has {keys}, no id): retrieval"
            " figures need to know which pictures show the same person; get the annotation file"
            " that the data set's authors hand out"
        )
    if first.split is None and not any("split" in values for values in objects):
        official = (source.specification.annotation_files or ("the official annotation file",))[0]
        raise DataError(
            f"{first.file} does not say which records are for training, validation and test (its first record has"
            f" {keys}, no split): needed is {official}, one JSON list of records with split, id, file_path and"
            " captions, which the data set's authors hand out; as 'custom' (--name of `data check`, --dataset of"
            " `eval`) it is read with a split by rule, whose figures compare with no published ones"
        )


def _read_annotation(entry: Entry, layout: Layout, may_be_absolute: bool) -> tuple[Annotation, bool]:
    """Read one annotation, and say whether it is a row.

    The rows of a picture are several entries, with a single caption each.
    """
    values = entry.values
    if not isinstance(values, dict):
        raise UnusableAnnotationError(
            "not a record", f"is a JSON {json_type(values)}, not an object; write it as {{...}}"
        )
    split = _read_split(values, entry.split)
    identity = _read_identity(values, layout)
    path_key = _key_of(values, PATH_KEYS)
    picture = _read_field(values, path_key, str, "the picture's path below the picture folder")
    captions_key = _key_of(values, CAPTION_KEYS)
    is_row = captions_key != CAPTION_KEYS[0] and isinstance(values.get(captions_key), str)
    value = values.get(captions_key)
    if not isinstance(value, str) or not (is_row or value.lstrip().startswith("[")):
        value = _read_field(values, captions_key, list, "a list of sentences")
    picture = read_picture_path(picture, path_key, may_be_absolute)
    captions = read_captions(value)
    further = {key: values[key] for key in FURTHER_CAPTION_KEYS if values.get(key) not in (None, [])}
    return Annotation(entry.number, split, identity, picture, captions, entry.file, further), is_row


def _key_of(values: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Return the key of several that an entry has; the first if it has none."""
    present = [key for key in keys if key in values]
    different = [key for key in present[1:] if values[key] != values[present[0]]]
    if different:
        raise UnusableAnnotationError(
            "ambiguous record", f"it has both {present[0]!r} and {different[0]!r}, which differ; remove the wrong one"
        )
    return present[0] if present else keys[0]


def _read_split(values: Mapping[str, Any], place: str | None) -> str:
    if place is not None and "split" not in values:
        return place
    word: str = _read_field(values, "split", str, "one of " + ", ".join(SPLITS))
    if (split := split_of(word)) is None:
        raise UnusableAnnotationError("unknown split", f"its split is {word!r}; write one of {', '.join(SPLITS)}")
    if place not in (None, split):
        raise UnusableAnnotationError(
            "split differs",
            f"its split is {split!r}, though it lies among those of {place}; remove one of the two",
            concerns_every_split=True,
        )
    return split


def _read_identity(values: Mapping[str, Any], layout: Layout) -> int:
    # If an entry has an id, its image_id is the number of the picture.
    key = next((key for key in layout.identity_keys if key in values), layout.identity_keys[0])
    value = values.get(key)
    if layout.has_text_identities and isinstance(value, str) and value.isdecimal() and len(value) <= 18:
        return int(value)
    identity: int = _read_field(values, key, int, "a whole number")
    if abs(identity) > _LARGEST_IDENTITY:
        raise UnusableAnnotationError(
            "wrong identity", f"its {key!r} does not fit into 64 bits; write a smaller number"
        )
    return identity


def _read_field(values: Mapping[str, Any], key: str, kind: type, expected: str) -> Any:
    if key not in values:
        raise UnusableAnnotationError("missing field", f"it has no {key!r}; add it, {expected}")
    value = values[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        shown = _shortened(json.dumps(value, ensure_ascii=False))
        hint = f" (without quotes: {value})" if kind is int and isinstance(value, str) and value.isdecimal() else ""
        message = f"its {key!r} is the JSON {json_type(value)} {shown}; write {expected}{hint}"
        raise UnusableAnnotationError("wrong type", message)
    return value


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
