"""Trying what filters of an engine find."""

from __future__ import annotations

from collections.abc import Sequence
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
            for comparison in COMPARISONS:
                for value in asked:
                    _expect_fitting(engine, rows, [Condition(kind, comparison, value)])
    with trial.promise("compares true and false"):
        for comparison in ("=", "!="):
            for truth in (True, False):
                _expect_fitting(engine, rows, [Condition("bool", comparison, truth)])
    with trial.promise("takes any text as the name of a fact"):
        for name in ODD_NAMES:
            _expect_fitting(engine, rows, [Condition(name, "=", "here")])
            _expect_fitting(engine, rows, [Condition(name, "!=", "here")])
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


def _expect_fitting(engine: Engine, rows: Sequence[Row], where: Sequence[Condition]) -> None:
    expected = sum(fits(row, where) for row in rows)
    found = engine.count(where)
    expect(found == expected, f"{list(where)} fits {found} rows instead of {expected}"[:500])


def _expect_nearest_fitting(
    engine: Engine, rows: Sequence[Row], vectors: np.ndarray, where: Sequence[Condition]
) -> None:
    fitting = [n for n, row in enumerate(rows) if fits(row, where)]
    expect_nearest(engine, unit_vectors(3, seed=5), [rows[n] for n in fitting], vectors[fitting], where)
