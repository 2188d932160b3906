"""The nearest vectors of a large gallery: its codes are scanned, and what may be nearest is compared exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tipr_zoo.gallery.engines.codes import Codes
from tipr_zoo.gallery.engines.exact_scan import Slots, best_of, cosines, nearest
from tipr_zoo.gallery.engines.snapshot import Snapshot
from tipr_zoo.gallery.engines.vector_file import Floats

EXACT_BYTES = 1 << 28
"""Of vectors: galleries up to this size are compared exactly, 131,072 pictures of 512 numbers."""

NARROW = 4000
"""Rows that a filter leaves: up to so many are compared exactly in galleries of any size."""

_FIRST = 256
"""Candidates of a query that are compared exactly at first, at least."""

_WIDER = 4
"""How many times more there are where these may not be enough."""

_SAFETY = 4.0
"""How many times the codes' error, root mean square, a candidate that was left out may be better than its code says."""

_LARGEST_PART = 8
"""Where more than one of so many vectors are candidates, every vector is compared."""

_LARGEST_ERROR = 0.5
"""Of a code, times the root of the dimension: codes of four bits err by 0.1. Others are not of these vectors."""


def nearest_rows(
    snapshot: Snapshot, codes: Codes, queries: Floats, top: int, slots: Slots | None = None
) -> list[tuple[Slots, Floats]]:
    """Find the nearest vectors of each query, by codes where the gallery is large and no filter leaves few.

    Args:
        snapshot: The vectors.
        codes: Of them.
        queries: (Q, D) float32 of unit length.
        top: How many of each query.
        slots: The vectors to compare, sorted; None for all.

    Returns:
        For each query the slots and their cosines, the best first. There may be more than `top`.
    """
    if snapshot.vectors.nbytes <= EXACT_BYTES:
        return nearest(snapshot.vectors, queries, top, slots, snapshot.is_hole if slots is None else None)
    if slots is not None and len(slots) <= NARROW:
        own = nearest(snapshot.file.taken(slots, len(snapshot.vectors)), queries, top)
        return [(slots[places], scores) for places, scores in own]
    return _nearest_by_codes(snapshot, codes, queries, top, slots)


def _nearest_by_codes(
    snapshot: Snapshot, codes: Codes, queries: Floats, top: int, slots: Slots | None
) -> list[tuple[Slots, Floats]]:
    """Do what `nearest_rows` does by codes. The cosines are exact.

    A vector that belongs among the nearest is missed where its code errs by more than four times the error of the
    codes, as it is found at the candidates of the query.
    """
    is_allowed = _allowed(snapshot, slots)
    there = len(snapshot.vectors) - snapshot.holes if slots is None else len(slots)
    found: dict[int, tuple[Slots, Floats]] = {}
    count, left = max(_FIRST, 4 * top), list(range(len(queries)))
    while left and count * _LARGEST_PART <= there:
        candidates, said = codes.candidates(snapshot, queries[left], count, is_allowed)
        for place, number in enumerate(left):
            hits, error = _compared(snapshot, queries[number], top, candidates[place], said[place])
            if error * np.sqrt(snapshot.vectors.shape[1]) > _LARGEST_ERROR and codes.make_anew():
                return _nearest_by_codes(snapshot, codes, queries, top, slots)
            if len(hits[1]) and said[place].min() + _SAFETY * error < hits[1][-1]:
                found[number] = hits
        left = [number for number in left if number not in found]
        count *= _WIDER
    if left:
        is_hole = snapshot.is_hole if slots is None else None
        found.update(zip(left, nearest(snapshot.vectors, queries[left], top, slots, is_hole), strict=True))
    return [found[number] for number in range(len(queries))]


def _compared(
    snapshot: Snapshot, query: Floats, top: int, candidates: Slots, said: Floats
) -> tuple[tuple[Slots, Floats], float]:
    """Return the best of the candidates, and the error of their codes."""
    order = candidates.argsort()
    exact = cosines(snapshot.file.taken(candidates[order], len(snapshot.vectors)), query)
    error = float(np.sqrt(np.nanmean((exact - said[order]) ** 2, dtype=np.float64)))
    return best_of(candidates[order], exact, top), error


def _allowed(snapshot: Snapshot, slots: Slots | None) -> npt.NDArray[np.bool_] | None:
    if slots is None:
        return None if snapshot.is_hole is None else ~snapshot.is_hole
    is_allowed = np.zeros(len(snapshot.vectors), np.bool_)
    is_allowed[slots] = True
    return is_allowed
