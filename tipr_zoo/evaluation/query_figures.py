"""The place of every query's matches in its ranking, and the figures of each query that the metrics are means of."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import local
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from tipr_zoo.errors import ConfigError, DataError

if TYPE_CHECKING:
    import torch


Identities: TypeAlias = "Sequence[Any] | npt.NDArray[Any] | torch.Tensor"

Floats: TypeAlias = "npt.NDArray[np.floating]"


@dataclass(frozen=True)
class SimilarityRows:
    """A similarity matrix that is read a few rows at a time: `read(start, stop, out)` writes rows into `out`."""

    queries: int
    gallery: int
    dtype: npt.DTypeLike
    read: Callable[[int, int, Floats], None]
    chunk_bytes: int

    def that_fit_a_chunk(self) -> int:
        """Return how many rows are as large as a chunk; one at least."""
        return max(1, min(self.queries, self.chunk_bytes // (np.dtype(self.dtype).itemsize * max(1, self.gallery))))


@dataclass(frozen=True)
class _Matches:
    """The gallery columns that match each query: `columns[start[q] : start[q] + count[q]]`."""

    columns: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]


@dataclass(frozen=True)
class QueryFigures:
    """What was found of each of Q queries, in their order.

    Attributes:
        first_rank: (Q,) int64, the place of the first match, from 1.
        average_precision: (Q,) float64 in (0, 1].
        inverse_negative_penalty: (Q,) float64 in (0, 1].
    """

    first_rank: npt.NDArray[np.int64]
    average_precision: npt.NDArray[np.float64]
    inverse_negative_penalty: npt.NDArray[np.float64]

    def by_metric(self, ranks: Sequence[int] = (1, 5, 10)) -> dict[str, npt.NDArray[Any]]:
        """Return what each metric is the mean of: (Q,) bool for every ``R{k}``, and (Q,) float64 for mAP and mINP."""
        found: dict[str, npt.NDArray[Any]] = {f"R{rank}": self.first_rank <= rank for rank in ranks}
        return found | {"mAP": self.average_precision, "mINP": self.inverse_negative_penalty}

    def metrics(self, ranks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
        """Return the metrics in percent."""
        return {name: 100 * float(figure.mean()) for name, figure in self.by_metric(ranks).items()}


def figures_of_queries(
    rows: SimilarityRows, query_ids: Identities, gallery_ids: Identities, chunk_rows: int | None
) -> QueryFigures:
    """Rank chunk after chunk in a thread pool (NumPy releases the GIL while it sorts).

    Args:
        rows: The similarity.
        query_ids: (queries,) the identity of each query.
        gallery_ids: (gallery,) the identity of each gallery item.
        chunk_rows: How many rows each thread ranks at once; None for as many as fit a chunk.

    Raises:
        DataError: There is nothing to rank, a query has no match, or the similarity holds NaN.
        ConfigError: `chunk_rows` is no whole number from 1.
    """
    step = rows.that_fit_a_chunk() if chunk_rows is None else chunk_rows
    check_positive("chunk_rows", step)
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
    return QueryFigures(first_rank, average_precision, inverse_negative_penalty)


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
    values = identities.detach().cpu() if is_tensor(identities) else np.asarray(identities)
    if tuple(values.shape) != (expected,):
        raise DataError(f"{name} must be one identity for each of the {expected} {what}, not {tuple(values.shape)}")
    return values.tolist()


def is_tensor(values: object) -> TypeGuard[torch.Tensor]:
    """Tell whether this is a tensor of torch's."""
    # Whoever passes a tensor has imported torch; nobody else should pay for it.
    return "torch" in sys.modules and isinstance(values, sys.modules["torch"].Tensor)


def check_positive(name: str, value: object) -> None:
    """Check that a value is a whole number from 1.

    Args:
        name: What to call it.
        value: The value.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(value, (int, np.integer)) or value < 1:
        raise ConfigError(f"{name} must be whole numbers from 1, not {value!r}")
