"""Rows, vectors and facts that engines are tried with."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tipr_zoo.protocols import Condition, Fact, Row
from tipr_zoo.testing.trial import SEED

DIMENSION = 24
"""Numbers of each vector."""

LARGEST_RECORD = 64 * 1024
"""Characters of the largest record that an engine must keep."""

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

TEXTS = (
    "",
    " ",
    "3",
    "a",
    "B",
    "ab",
    "a\\b",
    'quoted "text"',
    "o'clock; DROP TABLE picture; --",
    "' OR '1'='1",
    '" or 1 == 1 or "',
    "100% _like_",
    "line\nend",
    "nothing\x00here",
    "ü",
    "人",
    "\udcff",
    "\uffff",
    "\U0001f600",
    "a" * 3000,
)
"""Texts of every kind, which must stay what they are. In UTF-16 the last but one would come before some others."""

NUMBERS = (-(2**53) - 1, -1.5, -1, 0, 0.1, 0.25, 1, 1.0, 2, 1e-9, 1e15, 2**53, 2**53 + 1, 1764547200.25)
"""Numbers, of which some are the same and some differ by the last digit."""

ODD_NAMES = (
    "camera",
    "Camera",
    "picture.key",
    'x" = 1; DROP SCHEMA public CASCADE; --',
    "日時",
    "",
    "a b'c\\d",
    "\udcff",
)
"""Names of facts."""


def row_key(number: int) -> str:
    """Return the key of a row: a hash, as a gallery's keys are."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def unit_vectors(count: int, dimension: int = DIMENSION, seed: int = SEED) -> np.ndarray:
    """Return random vectors of unit length around a few centres, as embeddings are.

    Args:
        count: How many.
        dimension: Numbers of each.
        seed: Of the random numbers.

    Returns:
        (count, dimension) float32.
    """
    numbers = np.random.default_rng(seed)
    centres = numbers.standard_normal((8, dimension))
    vectors = centres[numbers.integers(0, 8, count)] + 0.7 * numbers.standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def sample_rows(count: int, start: int = 0) -> list[Row]:
    """Return rows with facts of every kind. Each row lacks some of them.

    Args:
        count: How many.
        start: Number of the first.
    """
    rows = []
    for number in range(start, start + count):
        facts: dict[str, Fact] = {}
        if number % 6:
            facts["text"] = TEXTS[number % len(TEXTS)]
        if number % 9:
            facts["number"] = NUMBERS[number % len(NUMBERS)]
        if number % 3:
            facts["bool"] = number % 2 == 0
        if number % 4 == 0:
            facts[ODD_NAMES[number // 4 % len(ODD_NAMES)]] = "here"
        rows.append(Row(row_key(number), json.dumps({"path": f"{number}.png", "facts": facts}), facts))
    return rows


def fits(row: Row, where: Sequence[Condition]) -> bool:
    """Tell whether a row fits conditions, as Python compares.

    Args:
        row: The row.
        where: What it must be like.
    """
    return all(
        each.fact in row.facts and COMPARISONS[each.comparison](row.facts[each.fact], each.value) for each in where
    )
