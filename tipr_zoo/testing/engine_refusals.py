"""Trying what an engine must not take."""

from __future__ import annotations

from functools import partial

import numpy as np

from tipr_zoo.protocols import Engine, Row
from tipr_zoo.testing.engine_answers import expect_refused
from tipr_zoo.testing.engine_rows import DIMENSION, LARGEST_RECORD, row_key, unit_vectors
from tipr_zoo.testing.trial import Trial, expect


def check_refusals(trial: Trial, engine: Engine) -> None:
    """Try rows and vectors that fit no gallery; none of them may be kept.

    Args:
        trial: Whose promises these are.
        engine: An empty gallery.
    """
    row, vector = Row(row_key(0), "{}"), unit_vectors(1)
    not_finite, zero = vector.copy(), np.zeros_like(vector)
    not_finite[0, 3] = np.nan
    shapes = {
        "a vector that is longer": unit_vectors(1, DIMENSION + 1),
        "a vector that is shorter": unit_vectors(1, DIMENSION - 1),
        "a vector without rows": vector[0],
        "two vectors for one row": unit_vectors(2),
        "no vector for a row": unit_vectors(0),
        "a vector that is not finite": not_finite,
        "a vector of length 0": zero,
        "a vector of length 2": 2 * vector,
    }
    with trial.promise("refuses vectors that do not fit, and keeps nothing of them"):
        for words, wrong in shapes.items():
            expect_refused(partial(engine.add, [row], wrong), words)
        for words in list(shapes)[:3] + list(shapes)[5:7]:
            expect_refused(partial(engine.search, shapes[words], 3), f"{words} as a query")
        for top in (0, -1):
            expect_refused(partial(engine.search, vector, top), f"top {top}")
        expect(engine.count() == 0, f"{engine.count()} rows are there")
    with trial.promise("refuses rows that do not fit, and keeps nothing of them"):
        for words, odd in {
            "a key that is too short": Row("12", "{}"),
            "a key that is no hexadecimal number": Row("g" * 32, "{}"),
            "an SQL fragment as a key": Row("' OR '1'='1' --                 ", "{}"),
            "a record that is not ASCII": Row(row_key(1), '"ü"'),
            "a record that is too large": Row(row_key(1), "x" * (LARGEST_RECORD + 1)),
            "a fact without a value": Row(row_key(1), "{}", {"camera": None}),  # type: ignore[dict-item]
            "a list as a fact": Row(row_key(1), "{}", {"camera": [1]}),  # type: ignore[dict-item]
            "a fact that is not finite": Row(row_key(1), "{}", {"time": float("inf")}),
        }.items():
            expect_refused(partial(engine.add, [row, odd], unit_vectors(2)), words)
        mixed = [Row(row_key(1), "{}", {"camera": 3}), Row(row_key(2), "{}", {"camera": "3"})]
        expect_refused(partial(engine.add, mixed, unit_vectors(2)), "a fact of two kinds")
        expect(engine.count() == 0, f"{engine.count()} rows are there")
        expect(dict(engine.facts()) == {}, f"it has the facts {dict(engine.facts())}")
    with trial.promise("refuses a fact of another kind than before, and keeps nothing of that request"):
        engine.add([Row(row_key(1), "{}", {"camera": "3"})], vector)
        for other in (3, True, 3.0):
            wrong_row = Row(row_key(2), "{}", {"camera": other, "new": "fact"})
            expect_refused(partial(engine.add, [row, wrong_row], unit_vectors(2)), repr(other))
        expect(engine.count() == 1, f"{engine.count()} rows are there")
        expect(dict(engine.facts()) == {"camera": "text"}, f"it has the facts {dict(engine.facts())}")
        engine.add([Row(row_key(2), "{}", {"new": 3})], vector)
        expect(dict(engine.facts()) == {"camera": "text", "new": "number"}, f"it has the facts {dict(engine.facts())}")
        engine.delete([row_key(1), row_key(2)])
