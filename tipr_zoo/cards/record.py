"""Records: one evaluation as a JSON file, written by ``tipr-zoo eval`` and named by a card as its source.

A record says what was measured, on which data, with which weights, by which command and when, so that a figure can
be traced back and measured again.
"""

from __future__ import annotations

import hashlib
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
from tipr_zoo.machine.result_place import make_folder
from tipr_zoo.machine.whole_file import write_whole

METRICS = ("R1", "R5", "R10", "mAP", "mINP")
"""The retrieval metrics, all in percent, in the order in which they are shown."""

TEXT_TO_IMAGE, IMAGE_TO_TEXT = "text-to-image", "image-to-text"

DIRECTIONS = (TEXT_TO_IMAGE, IMAGE_TO_TEXT)
"""What is searched with what: a picture with a caption, as this task usually means it, or a caption with a picture."""

SELECTED_ON = ("val", "test", "none")
"""Splits that the epoch of some weights can have been chosen on; ``"none"`` where the last one was taken."""

EMBEDDED = ("captions", "pictures")
"""What an evaluation embeds."""


@dataclass(frozen=True)
class Record:
    """One evaluation.

    Attributes:
        model: Name of the model's card.
        dataset: Name of the data set, e.g. ``"SynthPEDES"``.
        split: The split, e.g. ``"test"``.
        dataset_arguments: What else identifies the data, e.g. ``{"seed": 0}``; empty where nothing does.
        direction: One of `DIRECTIONS`.
        metrics: All of `METRICS`, in percent.
        queries: Number of captions; of pictures in the direction ``"image-to-text"``.
        gallery: Number of pictures; of captions in the direction ``"image-to-text"``.
        identities: Number of persons.
        overrides: Entries of the recipe that were changed, by dotted name.
        weights_sha256: Hash of the weights, 64 hexadecimal digits.
        training_seed: Seed of the training that made the weights, or None where nothing says so.
        selected_on: What their epoch was chosen on, one of `SELECTED_ON`, or None where nothing says so.
        dataset_sha256: Hash of the annotations, 64 hexadecimal digits.
        pictures_sha256: Hash of the split's picture files, or None where it was not taken; see
            `tipr_zoo.evaluation.embedding_cache.pictures_sha256`.
        tipr_zoo_version: Version of tipr-zoo that measured, with its commit where it ran from a git checkout.
        command: The command line that measures it again.
        seed: Seed of the evaluation, or None where nothing in it is random.
        date: When, ISO 8601.
        duration_seconds: Wall-clock time of the evaluation.
        from_cache: Which of `EMBEDDED` were not computed but taken from the cache of embeddings.
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
    overrides: dict[str, Any]
    weights_sha256: str
    training_seed: int | None
    selected_on: str | None
    dataset_sha256: str
    pictures_sha256: str | None
    tipr_zoo_version: str
    command: str
    seed: int | None
    date: str
    duration_seconds: float
    from_cache: tuple[str, ...]
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
        json.dumps(values, allow_nan=False)  # Python reads NaN and 1e999, which are no JSON
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
        WriteError: It cannot be written; what was there is as it was.
    """
    values = asdict(record)
    make_record(values)
    make_folder(path.parent)
    write_whole(path, (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def record_file_name(record: Record) -> str:
    """A file name for a record: no two evaluations of different things share one.

    Returns:
        E.g. ``"irra_tiny_synth_SynthPEDES_test_5e160752_46d4b10d.json"``: model, data set, split, the direction where
        it is not text-to-image, and the first digits of the hashes of annotations, weights and overrides.
    """
    direction = [record.direction] if record.direction != TEXT_TO_IMAGE else []
    words = [
        record.model,
        record.dataset,
        record.split,
        *direction,
        record.dataset_sha256[:8],
        record.weights_sha256[:8],
    ]
    if record.overrides:
        words.append(hashlib.sha256(json.dumps(record.overrides, sort_keys=True).encode()).hexdigest()[:8])
    return re.sub(r"[^\w.-]+", "-", "_".join(words)) + ".json"


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
    return Record(**{**values, "metrics": _metrics(values["metrics"]), "from_cache": tuple(values["from_cache"])})


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


def _is_hash_or_none(value: Any) -> bool:
    return value is None or _is_hash(value)


def _is_direction(value: Any) -> bool:
    return value in DIRECTIONS


def _is_selected_on(value: Any) -> bool:
    return value is None or value in SELECTED_ON


def _is_from_cache(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(part in EMBEDDED for part in value)


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
_SEED = (_is_seed, "a whole number or null")

_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": _TEXT,
    "dataset": _TEXT,
    "split": _TEXT,
    "dataset_arguments": _MAPPING,
    "direction": (_is_direction, " or ".join(map(repr, DIRECTIONS))),
    "metrics": _MAPPING,
    "queries": _COUNT,
    "gallery": _COUNT,
    "identities": _COUNT,
    "overrides": _MAPPING,
    "weights_sha256": _HASH,
    "training_seed": _SEED,
    "selected_on": (_is_selected_on, ", ".join(map(repr, SELECTED_ON)) + " or null"),
    "dataset_sha256": _HASH,
    "pictures_sha256": (_is_hash_or_none, "64 lower-case hexadecimal digits or null"),
    "tipr_zoo_version": _TEXT,
    "command": _TEXT,
    "seed": _SEED,
    "date": (_is_date, "a date like 2025-01-31 or 2025-01-31T12:00:00"),
    "duration_seconds": (_is_amount, "a number of seconds"),
    "from_cache": (_is_from_cache, f"a list with {' and '.join(map(repr, EMBEDDED))}, or an empty one"),
    "device": _TEXT,
    "protocol": _TEXT,
}
"""What each key must hold."""
