"""Where records lie: the folder, the names of their files, and what lies beside them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from tipr_zoo.cards.record import FIRST_STAGE, TEXT_TO_IMAGE, Record
from tipr_zoo.errors import RecordError


def check_records_folder(folder: Path) -> None:
    """Make the folder for an evaluation record. Call this before the evaluation, so that a bad folder costs no time.

    Raises:
        RecordError: The folder is a file, or cannot be made or written into.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(
            f"{folder}: records cannot be written there: {error.strerror}; name another folder"
        ) from error
    if not os.access(folder, os.W_OK):
        raise RecordError(f"{folder}: cannot hold records: it is not writable; name another folder")


def queries_file(record: Path) -> Path:
    """Return the file beside a record that what was found of its queries is kept in."""
    return record.with_suffix(".queries.safetensors")


def record_file_name(record: Record) -> str:
    """Return a file name for an evaluation record. Evaluations of different things never share one.

    Returns:
        E.g. ``"irra_tiny_synth_SynthPEDES_test_5e160752_9f76e4da_46d4b10d.json"``: model, data set, split, the
        direction where it is not text-to-image, the part where one was measured alone, how many pictures were ranked
        again, whether and how it was post-processed, and the first digits of the hashes of annotations, pictures,
        weights and overrides.
    """
    direction = [record.direction] if record.direction != TEXT_TO_IMAGE else []
    words = [
        record.model,
        record.dataset,
        record.split,
        *direction,
        *([f"part-{record.part}"] if record.part else []),
        *_file_words(record),
        record.dataset_sha256[:8],
        *([record.pictures_sha256[:8]] if record.pictures_sha256 else []),
        record.weights_sha256[:8],
    ]
    if record.overrides:
        words.append(_short_hash(json.dumps(record.overrides, sort_keys=True)))
    return re.sub(r"[^\w.-]+", "-", "_".join(words)) + ".json"


def _file_words(record: Record) -> list[str]:
    """Return the words of a file name that tell how a record ranks; none for the plain first stage."""
    rest = "" if record.rerank_rest in (None, FIRST_STAGE) else f"-{record.rerank_rest}"
    words = [] if record.rerank is None else [f"rerank-{record.rerank}{rest}"]
    if record.postprocess is not None:
        names = "-".join(step.partition(":")[0] for step in record.postprocess)
        words.append(f"{names}-{_short_hash(json.dumps(record.postprocess))}")
    return words


def _short_hash(text: str) -> str:
    import hashlib  # not at the top: it loads OpenSSL, and listing reads records and names none

    return hashlib.sha256(text.encode()).hexdigest()[:8]
