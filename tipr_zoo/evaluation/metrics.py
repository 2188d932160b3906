"""Retrieval metrics from a similarity matrix, or straight from embeddings: R-k, mAP and mINP in percent.

For a query with M matches in the gallery, let rank_1 < ... < rank_M be the places (from 1) of its matches when the
gallery is sorted by falling similarity. Then, averaged over the queries,

- R-k is the share of queries with rank_1 <= k,
- mAP is the mean of AP = 1/M * sum_j j / rank_j,
- mINP is the mean of M / rank_M (Ye et al., "Deep Learning for Person Re-identification", 2021).

**Ties are pessimistic**: a non-match that is exactly as similar as a match is placed before it. So the figures do not
depend on the order of the gallery. A model that gives every picture the same score gains nothing by it.

Only the ranks of the few matches matter, so nothing is argsorted. Each row's non-matches are sorted by value. The rank
of a match follows from the number of non-matches that are not below it. Rows are handled a chunk at a time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock, local
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from tipr_zoo.errors import ConfigError, DataError

if TYPE_CHECKING:
    import torch

Array: TypeAlias = "npt.ArrayLike | torch.Tensor"
Identities: TypeAlias = "Sequence[Any] | npt.NDArray[Any] | torch.Tensor"
Floats: TypeAlias = "npt.NDArray[np.floating]"

# Each thread ranks as many rows at once as fit in this many bytes: small enough for the cache and next to nothing
# beside a matrix. A matrix product is slow for few rows, hence more of them where the similarity is yet to be computed.
CHUNK_BYTES = 4 * 2**20
CHUNK_BYTES_FROM_EMBEDDINGS = 16 * 2**20


def retrieval_metrics(
    similarity: Array,
    query_ids: Identities,
    gallery_ids: Identities,
    *,
    ranks: Sequence[int] = (1, 5, 10),
    chunk_rows: int | None = None,
) -> dict[str, float]:
    """Compute R-k for every k in `ranks`, mAP and mINP, in percent.

    Ties are pessimistic: a non-match exactly as similar as a match is placed before it.

    Args:
        similarity: (queries, gallery) real numbers, larger is more alike; a NumPy array or a torch tensor of any
            float type, on any device. It is read, never changed. Infinities are allowed, NaN is not.
        query_ids: (queries,) the identity of each query: whole numbers or strings.
        gallery_ids: (gallery,) the identity of each gallery item, of the same kind.
        ranks: the k of the R-k to report.
        chunk_rows: how many rows each thread ranks at once; by default as many as fit in 4 MiB. It does not change
            the result.

    Returns:
        `{"R1": ..., "R5": ..., "R10": ..., "mAP": ..., "mINP": ...}`, with one `R{k}` for every k in `ranks`.

    Raises:
        DataError: the similarity is empty, not two-dimensional or holds NaN, an identity list has another length, or
            a query has no match in the gallery.
        ConfigError: `ranks` or `chunk_rows` are not whole numbers from 1.

    Example:
        Of two matches, one is placed first and the other third.

        >>> retrieval_metrics([[0.9, 0.5, 0.1]], query_ids=[7], gallery_ids=[7, 8, 7], ranks=(1,))
        {'R1': 100.0, 'mAP': 83.33..., 'mINP': 66.66...}
    """
    matrix = similarity if _is_tensor(similarity) else np.asarray(similarity)
    if len(matrix.shape) != 2:
        raise DataError(f"similarity must be a (queries, gallery) matrix, not of shape {tuple(matrix.shape)}")

    dtype = _float_type(matrix, "similarity")

    def read_rows(start: int, stop: int, out: Floats) -> None:
        np.copyto(out, _to_numpy(matrix[start:stop]))

    rows = _Rows(matrix.shape[0], matrix.shape[1], dtype, read_rows, CHUNK_BYTES)
    return _metrics(rows, query_ids, gallery_ids, ranks, chunk_rows)


def retrieval_metrics_from_embeddings(
    query_embeddings: Array,
    gallery_embeddings: Array,
    query_ids: Identities,
    gallery_ids: Identities,
    *,
    ranks: Sequence[int] = (1, 5, 10),
    chunk_rows: int | None = None,
) -> dict[str, float]:
    """Compute the same metrics from the cosine of embeddings, without ever holding the whole similarity matrix.

    The cosine is taken on the CPU in float32 (float64 if an embedding is), wherever the embeddings lie. So a GPU's TF32
    or half-precision settings do not change the figures.

    Args:
        query_embeddings: (queries, D) floats, normalised or not; a NumPy array or a torch tensor on any device.
        gallery_embeddings: (gallery, D) likewise.
        query_ids: (queries,) the identity of each query, as in `retrieval_metrics`.
        gallery_ids: (gallery,) the identity of each gallery item, of the same kind.
        ranks: the k of the R-k to report.
        chunk_rows: how many rows each thread ranks at once, as in `retrieval_metrics`.

    Returns:
        What `retrieval_metrics` returns for the cosine similarity of the embeddings.

    Raises:
        DataError: as in `retrieval_metrics`; also if the widths D differ, or an embedding has no direction (all zero,
            or not finite).
        ConfigError: `ranks` or `chunk_rows` are not whole numbers from 1.
    """
    queries = _unit_rows(query_embeddings, "query_embeddings")
    gallery = _unit_rows(gallery_embeddings, "gallery_embeddings")
    if queries.shape[1] != gallery.shape[1]:
        raise DataError(
            f"query_embeddings are {queries.shape[1]} wide and gallery_embeddings {gallery.shape[1]}; "
            "both must come from one model"
        )
    one_product_at_a_time = Lock()  # a product has threads of its own

    def read_rows(start: int, stop: int, out: Floats) -> None:
        with one_product_at_a_time:
            np.matmul(queries[start:stop], gallery.T, out=out)

    dtype = np.result_type(queries, gallery)
    rows = _Rows(len(queries), len(gallery), dtype, read_rows, CHUNK_BYTES_FROM_EMBEDDINGS)
    return _metrics(rows, query_ids, gallery_ids, ranks, chunk_rows)


@dataclass(frozen=True)
class _Rows:
    """A similarity matrix that is read a few rows at a time: `read(start, stop, out)` writes rows into `out`."""

    queries: int
    gallery: int
    dtype: npt.DTypeLike
    read: Callable[[int, int, Floats], None]
    chunk_bytes: int

    def that_fit_a_chunk(self) -> int:
        return max(1, min(self.queries, self.chunk_bytes // (np.dtype(self.dtype).itemsize * max(1, self.gallery))))


@dataclass(frozen=True)
class _Matches:
    """The gallery columns that match each query: `columns[start[q] : start[q] + count[q]]`."""

    columns: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]


def _metrics(
    rows: _Rows,
    query_ids: Identities,
    gallery_ids: Identities,
    ranks: Sequence[int],
    chunk_rows: int | None,
) -> dict[str, float]:
    """Rank chunk after chunk in a thread pool (NumPy releases the GIL while it sorts), then average."""
    for rank in ranks:
        _check_positive("ranks", rank)
    step = rows.that_fit_a_chunk() if chunk_rows is None else chunk_rows
    _check_positive("chunk_rows", step)
    if not rows.queries or not rows.gallery:
        raise DataError(f"nothing to rank: {rows.queries} queries and {rows.gallery} gallery items")
    queries = _identity_list(query_ids, "query_ids", rows.queries, "queries")
    matches = _find_matches(queries, _identity_list(gallery_ids, "gallery_ids", rows.gallery, "gallery items"))

    # Figures of every query are kept and averaged at the end, so that the chunk size cannot change a single bit.
    first_rank = np.empty(rows.queries, np.int64)
    average_precision = np.empty(rows.queries)
    inverse_negative_penalty = np.empty(rows.queries)
    workspace = local()  # each thread reuses its rows: fresh memory costs nearly as much as ranking

    def rank_chunk(start: int) -> None:
        chunk = slice(start, min(start + step, rows.queries))
        if not hasattr(workspace, "rows"):
            workspace.rows = np.empty((min(step, rows.queries), rows.gallery), rows.dtype)
        scores = workspace.rows[: chunk.stop - chunk.start]
        rows.read(chunk.start, chunk.stop, scores)
        rank, first = _ranks_of_matches(scores, matches, queries, chunk)
        count = matches.count[chunk]
        precision = (np.arange(len(rank)) - np.repeat(first, count) + 1) / rank
        first_rank[chunk] = rank[first]
        average_precision[chunk] = np.add.reduceat(precision, first) / count
        inverse_negative_penalty[chunk] = precision[first + count - 1]

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 16)) as pool:
        for _ in pool.map(rank_chunk, range(0, rows.queries, step)):
            pass  # passes on the error of the first chunk that had one
    figures: dict[str, npt.NDArray[Any]] = {f"R{rank}": first_rank <= rank for rank in ranks}
    figures |= {"mAP": average_precision, "mINP": inverse_negative_penalty}
    return {name: 100 * float(figure.mean()) for name, figure in figures.items()}


def _ranks_of_matches(
    rows: Floats, matches: _Matches, query_ids: list[Any], chunk: slice
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the ascending ranks of all matches, row after row, and where each row's begin. Overwrites `rows`."""
    count = matches.count[chunk]
    first = np.cumsum(count) - count
    row = np.repeat(np.arange(len(rows)), count)
    column = matches.columns[np.arange(len(row)) + np.repeat(matches.start[chunk] - first, count)]

    score = rows[row, column]
    rows[row, column] = -np.inf  # leaves the non-matches alone to be counted
    rows.sort(axis=1)
    is_nan = np.isnan(rows[:, -1])  # sorting puts NaN last
    is_nan[row[np.isnan(score)]] = True
    if is_nan.any():
        query = chunk.start + int(is_nan.argmax())
        raise DataError(
            f"similarity has NaN in row {query} (query id {query_ids[query]!r}); check the embeddings it was made from"
        )

    below = np.empty(len(row), np.int64)
    for values, begin, end in zip(rows, first.tolist(), (first + count).tolist(), strict=True):
        below[begin:end] = values.searchsorted(score[begin:end])
    width = rows.shape[1]
    # A match at -inf would count the overwritten matches, too. There are no more non-matches than this.
    ahead = np.minimum(width - below, np.repeat(width - count, count))
    # One sort for all rows: a multiple that is larger than any count keeps the rows apart.
    offset = row * (width + 1)
    ahead = np.sort(ahead + offset) - offset
    return ahead + np.arange(len(row)) - np.repeat(first, count) + 1, first


def _find_matches(query_ids: list[Any], gallery_ids: list[Any]) -> _Matches:
    code_of: dict[Any, int] = {}
    gallery_code = np.array([code_of.setdefault(identity, len(code_of)) for identity in gallery_ids])
    query_code = np.array([code_of.get(identity, -1) for identity in query_ids])
    unmatched = np.flatnonzero(query_code < 0)
    if len(unmatched):
        first = int(unmatched[0])
        raise DataError(
            f"{len(unmatched)} of {len(query_ids)} queries have no match in the gallery, the first is query {first} "
            f"(id {query_ids[first]!r}); leave them out or complete the gallery"
        )
    size = np.bincount(gallery_code)
    start = np.cumsum(size) - size
    return _Matches(np.argsort(gallery_code, kind="stable"), start[query_code], size[query_code])


def _identity_list(identities: Identities, name: str, expected: int, what: str) -> list[Any]:
    """Return plain Python values: their equality is exact, whatever integer types the two sides have."""
    values = identities.detach().cpu() if _is_tensor(identities) else np.asarray(identities)
    if tuple(values.shape) != (expected,):
        raise DataError(f"{name} must be one identity for each of the {expected} {what}, not {tuple(values.shape)}")
    return values.tolist()


def _unit_rows(embeddings: Array, name: str) -> Floats:
    values = embeddings if _is_tensor(embeddings) else np.asarray(embeddings)
    if len(values.shape) != 2:
        raise DataError(f"{name} must be an (items, D) matrix, not of shape {tuple(values.shape)}")
    unit = np.array(_to_numpy(values), dtype=_float_type(values, name), order="C")
    length = np.linalg.norm(unit, axis=1, keepdims=True)
    directionless = np.flatnonzero(~(np.isfinite(length) & (length > 0)))
    if len(directionless):
        raise DataError(f"{name} row {directionless[0]} has no direction: it is all zero, or holds NaN or infinity")
    unit /= length
    return unit


def _float_type(values: Any, name: str) -> npt.DTypeLike:
    """Return the type to rank in: float64 stays, shorter floats become float32, whole numbers float64."""
    if _is_tensor(values):
        kind = "f" if values.is_floating_point() else "c" if values.is_complex() else "i"
    else:
        kind = values.dtype.kind
    if kind not in "fiub":
        raise DataError(f"{name} must hold real numbers, not {values.dtype}")
    return np.float32 if kind == "f" and values.dtype.itemsize <= 4 else np.float64


def _to_numpy(values: Any) -> npt.NDArray[Any]:
    """Look at an array or CPU tensor as it is; copy a tensor from a GPU, or of a float type that NumPy lacks."""
    if not _is_tensor(values):
        return values
    is_short_float = values.is_floating_point() and values.dtype.itemsize < 4
    return (values.detach().float() if is_short_float else values.detach()).cpu().numpy()


def _is_tensor(values: object) -> TypeGuard[torch.Tensor]:
    # Whoever passes a tensor has imported torch; nobody else should pay for it.
    return "torch" in sys.modules and isinstance(values, sys.modules["torch"].Tensor)


def _check_positive(name: str, value: object) -> None:
    if not isinstance(value, (int, np.integer)) or value < 1:
        raise ConfigError(f"{name} must be whole numbers from 1, not {value!r}")
