"""What every engine asks of rows, vectors and conditions before it takes them."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import GalleryError
from tipr_zoo.protocols import Condition, Fact, Row

LARGEST_RECORD = 64 * 1024
"""Characters of a record."""

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
"""What a condition may ask."""

_KEY = re.compile("[0-9a-f]{32}")
_LARGEST_NUMBER = 2**63
_UNIT = 0.01
"""How far the length of a vector may be from 1; what was kept in float16 is within 0.001."""


def kind_of(value: object) -> str | None:
    """Return the kind of a fact's value, ``"text"``, ``"number"`` or ``"bool"``; None where it is none."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int):
        return "number" if -_LARGEST_NUMBER < value < _LARGEST_NUMBER else None
    return "number" if isinstance(value, float) and math.isfinite(value) else None


def check_header(header: str, place: str) -> None:
    """Raise a GalleryError unless a header is ASCII text.

    Args:
        header: The header.
        place: Where the gallery is, as messages show it.
    """
    if not isinstance(header, str) or not header.isascii() or "\0" in header:
        raise GalleryError(f"{place}: the header of a gallery must be ASCII JSON; write it with json.dumps")


def check_keys(keys: Iterable[str], place: str) -> None:
    """Raise a GalleryError where a key is none.

    Args:
        keys: The keys.
        place: Where the gallery is, as messages show it.
    """
    for key in keys:
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise GalleryError(f"{place}: the key {key!r} of a row is not 32 hexadecimal digits; make it of a hash")


def check_rows(rows: Sequence[Row], kinds: Mapping[str, str], place: str) -> dict[str, str]:
    """Check rows, and return the kinds of those facts that are new.

    Args:
        rows: The rows.
        kinds: Facts that the gallery has, and their kinds.
        place: Where the gallery is, as messages show it.

    Raises:
        GalleryError: A key is none or there twice, a record too large, or a fact of another kind.
    """
    check_keys((row.key for row in rows), place)
    if len({row.key for row in rows}) < len(rows):
        twice = Counter(row.key for row in rows).most_common(1)[0][0]
        raise GalleryError(f"{place}: two rows have the key {twice}; add a picture once")
    found: dict[str, str] = {}
    for row in rows:
        if not row.record.isascii() or "\0" in row.record or len(row.record) > LARGEST_RECORD:
            raise GalleryError(
                f"{place}: the record of row {row.key} must be ASCII JSON of at most {LARGEST_RECORD} characters, got"
                f" {len(row.record)}; shorten its facts"
            )
        for fact, value in row.facts.items():
            kind, known = kind_of(value), kinds.get(fact) or found.get(fact)
            if kind is None:
                raise GalleryError(
                    f"{place}: the fact {fact!r} of row {row.key} must be text, a finite number within 64 bits or"
                    f" true or false, got {value!r}"
                )
            if known and known != kind:
                raise GalleryError(
                    f"{place}: the fact {fact!r} is a {known} in this gallery, and {value!r} of row {row.key} a {kind};"
                    " give it another name, or write its values alike"
                )
            found.setdefault(fact, kind)
    return {fact: kind for fact, kind in found.items() if fact not in kinds}


def kept_facts(text: str, key: str) -> dict[str, Fact]:
    """Read the facts of a row as an engine kept them.

    Args:
        text: JSON.
        key: Of the row.

    Raises:
        GalleryError: It is something else: somebody else wrote it, or it is damaged.
    """
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or any(kind_of(value) is None for value in facts.values()):
        raise damaged_row(key)
    return facts


def damaged_row(key: str) -> GalleryError:
    """Return what tells of a row that is not as it was written.

    Args:
        key: Of the row.
    """
    return GalleryError(f"the gallery's row {key} is damaged; remove it, or make the gallery anew")


def check_vectors(vectors: np.ndarray, dimension: int, place: str, rows: int | None = None) -> np.ndarray:
    """Return vectors as one block of float32.

    Args:
        vectors: (n, D) of unit length.
        dimension: The D that the gallery has.
        place: Where the gallery is, as messages show it.
        rows: The n that there must be; None for any.

    Raises:
        GalleryError: They have another shape, are not finite or not of unit length.
    """
    array = np.asarray(vectors)
    expected = f"({'n' if rows is None else rows}, {dimension})"
    if array.ndim != 2 or array.shape[1] != dimension or (rows is not None and len(array) != rows):
        raise GalleryError(
            f"{place}: vectors must be of shape {expected}, got {array.shape}; embed them with its model"
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise GalleryError(f"{place}: vectors must be float32, got {array.dtype}")
    array = np.ascontiguousarray(array, dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("nd,nd->n", array, array))
        wrong = np.flatnonzero(~(np.abs(lengths - 1) <= _UNIT))  # true for NaN, too
    if len(wrong):
        raise GalleryError(
            f"{place}: vector {int(wrong[0])} has the length {lengths[wrong[0]]:g}; vectors must be finite and of"
            " length 1"
        )
    return array


def check_top(top: int, place: str) -> None:
    """Raise a GalleryError unless the number of hits is at least 1.

    Args:
        top: The number.
        place: Where the gallery is, as messages show it.
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise GalleryError(f"{place}: the number of hits must be at least 1, got {top!r}")


def check_conditions(where: Sequence[Condition], kinds: Mapping[str, str], place: str) -> None:
    """Raise a GalleryError where a condition cannot be asked of a gallery.

    Args:
        where: The conditions.
        kinds: The gallery's facts and their kinds.
        place: Where the gallery is, as messages show it.
    """
    for condition in where:
        if condition.comparison not in COMPARISONS:
            raise GalleryError(f"{place}: {condition.comparison!r} is no comparison; there are {' '.join(COMPARISONS)}")
        if condition.fact not in kinds:
            raise GalleryError(f"{place}: {unknown_name('fact', condition.fact, kinds, 'facts are given with `add`')}")
        _check_value(condition.fact, condition.value, kinds[condition.fact], place)
        if kinds[condition.fact] == "bool" and condition.comparison not in ("=", "!="):
            raise GalleryError(f"{place}: the fact {condition.fact!r} is true or false; ask with = or !=")


def _check_value(fact: str, value: Fact, kind: str, place: str) -> None:
    if (found := kind_of(value)) != kind:
        raise GalleryError(
            f"{place}: the fact {fact!r} is a {kind}, and {value!r} is {'no fact' if found is None else f'a {found}'};"
            f" compare it with a {kind}"
        )
