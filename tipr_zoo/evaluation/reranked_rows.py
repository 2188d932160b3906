"""The best of each row of similarities, and the same rows once these were ranked again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tipr_zoo.cards.record import FIRST_STAGE
from tipr_zoo.evaluation.query_figures import Floats, SimilarityRows


@dataclass(frozen=True)
class Reranked:
    """The best K gallery items of each of Q queries, with the scores that rank them again.

    Attributes:
        candidates: (Q, K) int64, their columns, in the order of the first stage.
        scores: (Q, K) float32, finite, of each of these pairs; higher is better.
        rest: The order of the other items, one of `tipr_zoo.cards.record.RERANK_RESTS`.
    """

    candidates: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    rest: str = FIRST_STAGE

    def order(self, query: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return the columns of one query by falling score, and the scores. Equal ones keep the first stage's order."""
        order = (-self.scores[query]).argsort(kind="stable")
        return self.candidates[query][order], self.scores[query][order]


def best_columns(rows: SimilarityRows, count: int) -> npt.NDArray[np.int64]:
    """Find the best of each row. Of equal ones, the first columns are taken.

    Args:
        rows: The similarity.
        count: How many of each row; as many as there are columns at most.

    Returns:
        (queries, count) int64 columns, the best first.
    """
    best = np.empty((rows.queries, count), np.int64)
    step = rows.that_fit_a_chunk()
    chunk = np.empty((step, rows.gallery), rows.dtype)
    for start in range(0, rows.queries, step):
        stop = min(start + step, rows.queries)
        values = chunk[: stop - start]
        rows.read(start, stop, values)
        least = np.partition(values, rows.gallery - count, axis=1)[:, rows.gallery - count]
        for row, (own, bound) in enumerate(zip(values, least, strict=True), start=start):
            columns = np.flatnonzero(own >= bound) if not np.isnan(bound) else np.arange(rows.gallery)
            best[row] = columns[(-own[columns]).argsort(kind="stable")[:count]]
    return best


def reranked_rows(rows: SimilarityRows, reranked: Reranked) -> SimilarityRows:
    """Return rows in which the candidates stand above all others, in the order of their scores.

    Only the order means something. Equal scores stay equal, so that the metrics see the tie.

    Args:
        rows: The first stage, with similarities from -2 to 2.
        reranked: The candidates of each row.
    """
    places = _dense_ranks(reranked.scores)
    keeps_order = reranked.rest == FIRST_STAGE

    def read(start: int, stop: int, out: Floats) -> None:
        rows.read(start, stop, out)
        missing = np.isnan(out).any(axis=1)  # the metrics tell them
        if not keeps_order:
            out[~missing] = 0
        top = out.max(axis=1, keepdims=True, initial=0) + 1
        np.put_along_axis(out, reranked.candidates[start:stop], top + places[start:stop], axis=1)
        out[missing] = np.nan

    return replace(rows, read=read)


def _dense_ranks(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Number the different scores of each row from 0, the lowest first: float32 counts to 16 million exactly."""
    order = scores.argsort(axis=1, kind="stable")
    ascending = np.take_along_axis(scores, order, axis=1)
    steps = np.zeros(scores.shape, np.float32)
    steps[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    ranks = np.empty(scores.shape, np.float32)
    np.put_along_axis(ranks, order, steps.cumsum(axis=1, dtype=np.float32), axis=1)
    return ranks
