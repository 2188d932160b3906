"""Trying what filters of an engine find."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from tipr_zoo.protocols import Condition, Engine, Fact, Row
from tipr_zoo.testing.engine_answers import expect_nearest, expect_refused
from tipr_zoo.testing.engine_rows import COMPARISONS, NUMBERS, ODD_NAMES, TEXTS, fits, unit_vectors
from tipr_zoo.testing.trial import Trial, expect


def check_filters(trial: Trial, engine: Engine, rows: Sequence[Row], vectors: np.ndarray) -> None:
    """Try filters of every kind against Python's comparisons.

    Args:
        trial: Whose promises these are.
        engine: A gallery that holds the rows of `tipr_zoo.testing.engine_rows.sample_rows`.
        rows: The rows.
        vectors: (n, D) float32, theirs.
    """
    with trial.promise("knows the kinds of its facts"):
        expected = {"text": "text", "number": "number", "bool": "bool", **dict.fromkeys(ODD_NAMES, "text")}
        expect(dict(engine.facts()) == expected, f"they are {dict(engine.facts())}")
    values: dict[str, list[Fact]] = {
        "text": [*TEXTS, "nowhere", "zz"],
        "number": [*NUMBERS, 0.5, 7, 3 * 10**18, -1e300, 1e300],
    }
    for kind, asked in values.items():
        with trial.promise(f"compares a {kind} as Python does"):
            _expect_fitting(engine, rows, [Condition(kind, each, value) for each in COMPARISONS for value in asked])
    with trial.promise("compares true and false"):
        _expect_fitting(
            engine, rows, [Condition("bool", each, truth) for each in ("=", "!=") for truth in (True, False)]
        )
    with trial.promise("takes any text as the name of a fact"):
        _expect_fitting(engine, rows, [Condition(name, each, "here") for each in ("=", "!=") for name in ODD_NAMES])
    with trial.promise("finds the nearest of those rows that fit every condition, and no others"):
        for where in (
            [Condition("number", ">=", 1), Condition("number", "<", 1e15), Condition("bool", "=", True)],
            [Condition("text", ">", "a"), Condition("bool", "!=", True)],
            [Condition("text", "=", TEXTS[8])],
            [Condition(ODD_NAMES[3], "=", "here")],
            [Condition("text", "=", "nowhere")],
        ):
            _expect_nearest_fitting(engine, rows, vectors, where)
    with trial.promise("refuses a filter on a fact that is not there, or of another kind"):
        for wrong in (
            Condition("cam", "=", "here"),
            Condition("picture", "=", "here"),
            Condition("camera' OR '1'='1", "=", "here"),
            Condition("number", "=", "1"),
            Condition("number", "=", True),
            Condition("number", "<", float("nan")),
            Condition("text", "=", 3),
            Condition("bool", "=", 1),
            Condition("bool", "=", "true"),
            Condition("text", "LIKE", "a"),
            Condition("text", "= '' OR 1", "a"),
        ):
            expect_refused(partial(engine.count, [wrong]), f"{wrong} in count")
            expect_refused(partial(engine.search, vectors[:1], 3, [wrong]), f"{wrong} in search")


def _expect_fitting(engine: Engine, rows: Sequence[Row], conditions: Sequence[Condition]) -> None:
    """Raise an AssertionError unless each condition alone fits as many rows as in Python. Several are asked at once."""
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda condition: engine.count([condition]), conditions))
    for condition, found in zip(conditions, counts, strict=True):
        expected = sum(fits(row, [condition]) for row in rows)
        expect(found == expected, f"{condition} fits {found} rows instead of {expected}"[:500])


def _expect_nearest_fitting(
    engine: Engine, rows: Sequence[Row], vectors: np.ndarray, where: Sequence[Condition]
) -> None:
    fitting = [n for n, row in enumerate(rows) if fits(row, where)]
    expect_nearest(engine, unit_vectors(3, seed=5), [rows[n] for n in fitting], vectors[fitting], where)
