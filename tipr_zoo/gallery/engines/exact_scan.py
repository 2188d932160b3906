"""The nearest vectors, exactly: every one is compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tipr_zoo.gallery.engines.vector_file import Floats

BLOCK_BYTES = 1 << 25
"""Bytes of vectors that are compared at once."""

_ROUNDING = 1e-5
"""Above the error of a cosine in float32. What lies as near to the last hit is looked at exactly."""

Slots = npt.NDArray[np.int64]


def nearest(
    vectors: Floats, queries: Floats, top: int, slots: Slots | None = None, is_hole: npt.NDArray[np.bool_] | None = None
) -> list[tuple[Slots, Floats]]:
    """Find the nearest vectors of each query, and all that score as the last of them.

    A score depends on the two vectors alone, not on what they are compared beside.

    Args:
        vectors: (N, D) float32 of unit length.
        queries: (Q, D) float32 of unit length.
        top: How many of each query.
        slots: The rows of `vectors` to compare, sorted; None for all.
        is_hole: (N,) bool, of the rows that are passed over; None where there are none. Not with `slots`.

    Returns:
        For each query the slots and their cosines, the best first. There may be more than `top`.
    """
    found = _candidates(vectors, queries, top, slots, is_hole)
    return [best(vectors, query, top, candidates) for query, candidates in zip(queries, found, strict=True)]


def best(vectors: Floats, query: Floats, top: int, candidates: Slots) -> tuple[Slots, Floats]:
    """Rank some vectors by their exact cosine, and keep the best with all that score as the last of them.

    Args:
        vectors: (N, D) float32 of unit length.
        query: (D,) float32 of unit length.
        top: How many to keep.
        candidates: Rows of `vectors`, sorted.
    """
    return best_of(candidates, exact_scores(vectors, query, candidates), top)


def best_of(candidates: Slots, scores: Floats, top: int) -> tuple[Slots, Floats]:
    """Keep the best candidates, and all that score as the last of them.

    Args:
        candidates: Slots, sorted.
        scores: Their cosines.
        top: How many to keep.
    """
    if (is_damaged := np.isnan(scores)).any():
        candidates, scores = candidates[~is_damaged], scores[~is_damaged]
    if len(scores) > top:
        keeps = scores >= np.partition(scores, len(scores) - top)[len(scores) - top]
        candidates, scores = candidates[keeps], scores[keeps]
    order = (-scores).argsort(kind="stable")
    return candidates[order], scores[order]


def exact_scores(vectors: Floats, query: Floats, slots: Slots) -> Floats:
    """Return the cosines of some vectors with a query, each computed in the same order of additions.

    Args:
        vectors: (N, D) float32 of unit length.
        query: (D,) float32 of unit length.
        slots: Rows of `vectors`.
    """
    parts = [
        cosines(vectors[part], query)
        for part in np.array_split(slots, max(1, len(slots) * vectors.shape[1] * 8 // BLOCK_BYTES))
    ]
    return np.concatenate(parts)


def cosines(vectors: Floats, query: Floats) -> Floats:
    """Return the cosines of vectors with a query, each computed in the same order of additions.

    Args:
        vectors: (n, D) float32 of unit length.
        query: (D,) float32 of unit length.
    """
    return (vectors.astype(np.float64) * query.astype(np.float64)).sum(axis=1).astype(np.float32)


def _candidates(
    vectors: Floats, queries: Floats, top: int, slots: Slots | None, is_hole: npt.NDArray[np.bool_] | None
) -> list[Slots]:
    """Return for each query the rows that may be among the best, sorted."""
    bounds = np.full(len(queries), -np.inf, np.float32)
    kept: list[list[tuple[Slots, Floats]]] = [[] for _ in queries]
    for block_slots, block in _blocks(vectors, slots):
        scores = queries @ block.T
        scores[np.isnan(scores)] = -np.inf  # of a damaged vector, which `damaged` names
        if is_hole is not None:
            scores[:, is_hole[block_slots]] = -np.inf
        if len(block) >= top:
            own = np.partition(scores, len(block) - top, axis=1)[:, len(block) - top]
            np.maximum(bounds, own, out=bounds)
        for number, row in enumerate(scores):
            near = np.flatnonzero((row >= bounds[number] - _ROUNDING) & (row > -np.inf))
            if len(near):
                kept[number].append((block_slots[near], row[near]))
    return [_pruned(parts, top) for parts in kept]


def _pruned(parts: list[tuple[Slots, Floats]], top: int) -> Slots:
    if not parts:
        return np.empty(0, np.int64)
    slots = np.concatenate([slots for slots, _ in parts])
    scores = np.concatenate([scores for _, scores in parts])
    if len(slots) > top:
        slots = slots[scores >= np.partition(scores, len(scores) - top)[len(scores) - top] - 2 * _ROUNDING]
    return slots


def _blocks(vectors: Floats, slots: Slots | None) -> Iterator[tuple[Slots, Floats]]:
    """Yield rows and their numbers, in parts that fit into the processor's memory."""
    step = max(1, BLOCK_BYTES // (4 * vectors.shape[1]))
    count = len(vectors) if slots is None else len(slots)
    for start in range(0, count, step):
        if slots is None:
            stop = min(start + step, count)
            yield np.arange(start, stop), vectors[start:stop]
        else:
            own = slots[start : start + step]
            yield own, vectors[own]
