"""What was found of every query, kept in a file beside a record, so that two records can be compared query by query.

The file is safetensors. The record has its hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from tipr_zoo.cards.record import METRICS, TEXT_TO_IMAGE, Record, record_text
from tipr_zoo.cards.record_files import queries_file
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import RecordError
from tipr_zoo.evaluation.query_figures import QueryFigures
from tipr_zoo.machine.result_place import make_folder
from tipr_zoo.machine.whole_file import whole_file, write_whole
from tipr_zoo.outside.files import read_bytes

_TYPES: dict[str, Any] = {
    "first_rank": np.dtype(np.int32),
    "average_precision": np.dtype(np.float64),
    "inverse_negative_penalty": np.dtype(np.float64),
    "identity": np.dtype(np.int32),
}
_QUERIES = "queries_sha256"
_ROUNDING = 1e-3  # of a record's figures, in percent


@dataclass(frozen=True)
class KeptQueries:
    """What was found of each of Q queries.

    Attributes:
        figures: The place of its first match, its average precision, and its inverse negative penalty.
        identity: (Q,) int64, which person each query is of; the numbers are of this split alone.
        sha256: Hash of the queries in their order.
    """

    figures: QueryFigures
    identity: npt.NDArray[np.int64]
    sha256: str


def kept_queries(figures: QueryFigures, dataset: PersonDataset, direction: str) -> KeptQueries:
    """Put together what is kept of the queries of a split.

    Args:
        figures: Of every query, in their order.
        dataset: The split.
        direction: One of `tipr_zoo.cards.record.DIRECTIONS`, which says what the queries are.
    """
    is_of_captions = direction == TEXT_TO_IMAGE
    texts = dataset.captions if is_of_captions else [picture.name for picture in dataset.pictures]
    identities = dataset.caption_ids if is_of_captions else dataset.picture_ids
    digest = hashlib.sha256()
    for text, identity in zip(texts, identities, strict=True):
        digest.update(f"{identity}\0{text}\0".encode(errors="surrogatepass"))
    numbers = np.unique(np.array(identities), return_inverse=True)[1]
    return KeptQueries(figures, numbers.astype(np.int64), digest.hexdigest())


def write_with_queries(record: Record, queries: KeptQueries, path: Path) -> Record:
    """Write a record, and before it what was found of its queries.

    Args:
        record: The record.
        queries: Of the same evaluation.
        path: The record's file.

    Returns:
        The record as it was written, with the hash of the other file.

    Raises:
        RecordError: An entry is wrong.
        WriteError: A file cannot be written. What was there before is unchanged.
    """
    content = _content(queries)
    complete = replace(record, queries_sha256=hashlib.sha256(content).hexdigest())
    text = record_text(complete)
    make_folder(path.parent)
    # Neither takes its place before both are written; the record is the last.
    with whole_file(path) as record_part, whole_file(queries_file(path)) as queries_part:
        # Each has its own writer, so that an error names the right file.
        write_whole(queries_part, content)
        write_whole(record_part, text.encode())
    return complete


def read_kept_queries(record: Record, path: Path) -> KeptQueries:
    """Read what was found of the queries of a record.

    Args:
        record: The record.
        path: Its file.

    Raises:
        RecordError: The record has none, the file is missing or was changed, or it does not give the record's figures.
    """
    if record.queries_sha256 is None:
        raise RecordError(
            f"{path}: keeps nothing of single queries, as records written by an older version; measure it again:"
            f" {record.command} --records DIR"
        )
    file = queries_file(path)
    again = f"measure it again: {record.command} --records DIR"
    try:
        content = read_bytes(file, 1024 + 64 * record.queries)
    except OSError as error:
        said = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror or error}"
        raise RecordError(f"{file}: {said}, and {path} names it; {again}") from error
    if hashlib.sha256(content).hexdigest() != record.queries_sha256:
        raise RecordError(f"{file}: is not what {path} was written with (another hash); {again}")
    found = _read(content)
    if found is None or len(found.identity) != record.queries or not _gives(found.figures, record):
        raise RecordError(f"{file}: does not give the figures of {path}; {again}")
    return found


def _content(queries: KeptQueries) -> bytes:
    """Return what the file holds."""
    values = {**vars(queries.figures), "identity": queries.identity}
    arrays = {name: np.ascontiguousarray(values[name], kind) for name, kind in _TYPES.items()}
    arrays[_QUERIES] = np.frombuffer(bytes.fromhex(queries.sha256), np.uint8)
    return safetensors.numpy.save(arrays)


def _read(content: bytes) -> KeptQueries | None:
    """Return what a file holds; None where that is something else."""
    try:
        arrays = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError):
        return None
    known = {**_TYPES, _QUERIES: np.dtype(np.uint8)}
    if {name: array.dtype for name, array in arrays.items()} != known or arrays[_QUERIES].shape != (32,):
        return None
    if len({array.shape for name, array in arrays.items() if name != _QUERIES}) > 1 or arrays["identity"].ndim != 1:
        return None
    return KeptQueries(
        QueryFigures(
            arrays["first_rank"].astype(np.int64), arrays["average_precision"], arrays["inverse_negative_penalty"]
        ),
        arrays["identity"].astype(np.int64),
        arrays[_QUERIES].tobytes().hex(),
    )


def _gives(figures: QueryFigures, record: Record) -> bool:
    """Tell whether the metrics of a record are the means of what was found of its queries."""
    found = figures.metrics()
    return all(abs(found[name] - record.metrics[name]) <= _ROUNDING for name in METRICS)
