"""Records: one evaluation as a JSON file, written by ``tipr-zoo eval`` and named by a card as its source.

A record says what was measured, on which data, with which weights, by which command and when, so that a figure can
be traced back and measured again.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import RecordError

METRICS = ("R1", "R5", "R10", "mAP", "mINP")
"""The retrieval metrics, all in percent, in the order in which they are shown."""

DIRECTION = "text-to-image"
"""The one direction of a record: captions are the queries, pictures the gallery."""


@dataclass(frozen=True)
class Record:
    """One evaluation.

    Attributes:
        model: Name of the model's card.
        dataset: Name of the data set, e.g. ``"SynthPEDES"``.
        split: The split, e.g. ``"test"``.
        dataset_arguments: What else identifies the data, e.g. ``{"seed": 0}``; empty where nothing does.
        direction: ``"text-to-image"``.
        metrics: All of `METRICS`, in percent.
        queries: Number of captions.
        gallery: Number of pictures.
        identities: Number of persons.
        weights_sha256: Hash of the weights, 64 hexadecimal digits.
        dataset_sha256: Hash of the annotation file, 64 hexadecimal digits.
        tipr_zoo_version: Version of tipr-zoo that measured.
        command: The command line that measures it again.
        seed: Seed of the evaluation, or None where nothing in it is random.
        date: When, ISO 8601.
        duration_seconds: Wall-clock time of the evaluation.
        device: In words, e.g. ``"cpu, 2 threads"``.
        protocol: In words: ties, which split chose the weights, what was left out.
    """

    model: str
    dataset: str
    split: str
    dataset_arguments: dict[str, Any]
    direction: str
    metrics: dict[str, float]
    queries: int
    gallery: int
    identities: int
    weights_sha256: str
    dataset_sha256: str
    tipr_zoo_version: str
    command: str
    seed: int | None
    date: str
    duration_seconds: float
    device: str
    protocol: str


def read_record(path: Path) -> Record:
    """Read and check a record.

    Raises:
        RecordError: The file cannot be read, is not JSON, or a key is missing, unknown or makes no sense; the message
            names the file and the key.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path}: cannot be read as a record: {error}; write it with `tipr-zoo eval`") from error
    try:
        return make_record(values)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from error


def check_records_folder(folder: Path) -> None:
    """Make the folder that a record is to be written into, before the work and not after it.

    Raises:
        RecordError: It is a file, or cannot be made or written into.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(
            f"{folder}: records cannot be written there: {error.strerror}; name another folder"
        ) from error
    if not os.access(folder, os.W_OK):
        raise RecordError(f"{folder}: cannot hold records: it is not writable; name another folder")


def write_record(record: Record, path: Path) -> None:
    """Write `record` to `path` as JSON; its folder is made if need be.

    Raises:
        RecordError: An entry makes no sense.
    """
    values = asdict(record)
    make_record(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def make_record(values: Any) -> Record:
    """Check the entries of a record.

    Args:
        values: What the JSON file holds.

    Raises:
        RecordError: A key is missing, unknown or makes no sense; the message names it.
    """
    if not isinstance(values, dict):
        raise RecordError(f"a record is a JSON object, got {type(values).__name__}")
    for key in values:
        if key not in _KINDS:
            raise RecordError(str(unknown_name("key", key, _KINDS)))
    if missing := [key for key in _KINDS if key not in values]:
        raise RecordError(f"missing: {', '.join(missing)}")
    for key, (is_right, kind) in _KINDS.items():
        if not is_right(values[key]):
            raise RecordError(f"{key!r} must be {kind}, got {values[key]!r}")
    return Record(**{**values, "metrics": _metrics(values["metrics"])})


def _metrics(values: dict[str, Any]) -> dict[str, float]:
    """The metrics in the order of `METRICS`, all of them there and percentages."""
    for name in values:
        if name not in METRICS:
            raise RecordError(str(unknown_name("metric", name, METRICS)))
    for name in METRICS:
        if name not in values:
            raise RecordError(f"metric {name!r} is missing")
        if not _is_amount(values[name]) or values[name] > 100:
            raise RecordError(f"metric {name!r} is a percentage, got {values[name]!r}")
    return {name: float(values[name]) for name in METRICS}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_whole(value) and value > 0


def _is_seed(value: Any) -> bool:
    return value is None or _is_whole(value)


def _is_amount(value: Any) -> bool:
    return (_is_whole(value) or isinstance(value, float)) and 0 <= value < math.inf


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _is_direction(value: Any) -> bool:
    return bool(value == DIRECTION)


def _is_date(value: Any) -> bool:
    try:
        datetime.fromisoformat(value.removesuffix("Z"))
    except (AttributeError, ValueError):
        return False
    return True


_TEXT = (_is_text, "text")
_MAPPING = (_is_mapping, "an object")
_COUNT = (_is_count, "a whole number above 0")
_HASH = (_is_hash, "64 lower-case hexadecimal digits")

_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": _TEXT,
    "dataset": _TEXT,
    "split": _TEXT,
    "dataset_arguments": _MAPPING,
    "direction": (_is_direction, repr(DIRECTION)),
    "metrics": _MAPPING,
    "queries": _COUNT,
    "gallery": _COUNT,
    "identities": _COUNT,
    "weights_sha256": _HASH,
    "dataset_sha256": _HASH,
    "tipr_zoo_version": _TEXT,
    "command": _TEXT,
    "seed": (_is_seed, "a whole number or null"),
    "date": (_is_date, "a date like 2025-01-31 or 2025-01-31T12:00:00"),
    "duration_seconds": (_is_amount, "a number of seconds"),
    "device": _TEXT,
    "protocol": _TEXT,
}
"""What each key must hold."""
