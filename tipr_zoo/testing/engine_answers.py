"""Comparing what an engine answers with what is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tipr_zoo.errors import GalleryError
from tipr_zoo.protocols import Condition, Engine, Row
from tipr_zoo.testing.trial import expect

ROUNDING = 1e-3
"""How far a cosine may be from that of the float32 vectors: what float16 takes away."""


def expect_refused(what: Callable[[], object], words: str) -> None:
    """Raise an AssertionError unless something raises a GalleryError of one line.

    Args:
        what: What is done.
        words: What it is, e.g. ``"a vector that is longer"``.
    """
    try:
        what()
    except GalleryError as error:
        expect("\n" not in str(error), f"the message for {words} is no line")
        return
    raise AssertionError(f"{words} raises no GalleryError")


def expect_near(found: np.ndarray, expected: np.ndarray, words: str) -> None:
    """Raise an AssertionError unless vectors are those that were added, apart from rounding.

    Args:
        found: (n, D) float32.
        expected: (n, D) float32.
        words: What they are.
    """
    expect(found.shape == expected.shape, f"{words} have the shape {found.shape} instead of {expected.shape}")
    expect(found.dtype == np.float32, f"{words} are {found.dtype}")
    difference = float(np.abs(found - expected).max(initial=0))
    expect(difference <= ROUNDING, f"{words} differ by {difference:.3g}")


def expect_nearest(
    engine: Engine,
    queries: np.ndarray,
    rows: Sequence[Row],
    vectors: np.ndarray,
    where: Sequence[Condition],
    top: int = 10,
) -> None:
    """Raise an AssertionError unless a search finds the nearest, apart from rounding.

    Args:
        engine: The engine.
        queries: (Q, D) float32.
        rows: Those rows that fit.
        vectors: (n, D) float32, theirs.
        where: The filter.
        top: How many hits.
    """
    number = {row.key: n for n, row in enumerate(rows)}
    answers = engine.search(queries, top, where)
    expect(len(answers) == len(queries), f"{len(queries)} queries have {len(answers)} answers")
    for query, hits in zip(queries, answers, strict=True):
        cosines = vectors @ query
        expect(len(hits) == min(top, len(rows)), f"{len(hits)} hits are there instead of {min(top, len(rows))}")
        strangers = [key for key, _ in hits if key not in number]
        expect(not strangers and len(dict(hits)) == len(hits), f"hits are twice there, or do not fit: {strangers}")
        for key, score in hits:
            expect(
                abs(score - cosines[number[key]]) <= ROUNDING, f"a cosine is {score} instead of {cosines[number[key]]}"
            )
        order = [(-score, key) for key, score in hits]
        expect(order == sorted(order), "hits are not in the order of their scores, then keys")
        if hits:
            last = np.sort(cosines)[::-1][len(hits) - 1]
            missing = [
                rows[n].key
                for n in np.flatnonzero(cosines > last + 2 * ROUNDING).tolist()
                if rows[n].key not in dict(hits)
            ]
            expect(not missing and hits[-1][1] >= last - 2 * ROUNDING, f"nearer rows are not found: {missing}")
