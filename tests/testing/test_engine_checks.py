"""check_engine: an engine that keeps every promise passes, and one that breaks one is told by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

import numpy as np
import pytest

from tipr_zoo.errors import BrokenPromiseError, GalleryError
from tipr_zoo.gallery.engines.row_checks import (
    check_conditions,
    check_keys,
    check_rows,
    check_top,
    check_vectors,
)
from tipr_zoo.protocols import Condition, Row
from tipr_zoo.registries import ENGINES
from tipr_zoo.testing import check_engine
from tipr_zoo.testing.engine_rows import fits


class Memory:
    """Keeps every promise of an engine, for as long as the process runs."""

    scheme: ClassVar[tuple[str, ...]] = ("memory",)
    places: ClassVar[dict[str, Memory]] = {}

    def __init__(self, header: str, dimension: int, address: str) -> None:
        self.header, self.dimension, self.address = header, dimension, address
        self.kept: dict[str, tuple[Row, np.ndarray]] = {}
        self.kinds: dict[str, str] = {}

    @classmethod
    def create(cls, address: str, header: str, dimension: int) -> Memory:
        if address in cls.places:
            raise GalleryError("one is there")
        cls.places[address] = cls(header, dimension, address)
        return cls.places[address]

    @classmethod
    def open(cls, address: str) -> Memory:
        if address not in cls.places:
            raise GalleryError("none is there")
        return cls.places[address]

    def set_header(self, header: str) -> None:
        self.header = header

    def add(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        vectors = check_vectors(vectors, self.dimension, self.address, rows=len(rows))
        self.kinds |= check_rows(rows, self.kinds, self.address)
        self.kept |= {row.key: (row, vector) for row, vector in zip(rows, vectors, strict=True)}

    def delete(self, keys: Sequence[str]) -> int:
        check_keys(keys, self.address)
        return sum(self.kept.pop(key, None) is not None for key in keys)

    def rows(self, keys: Sequence[str] | None = None) -> Iterator[Row]:
        yield from (self.kept[key][0] for key in (sorted(self.kept) if keys is None else keys) if key in self.kept)

    def vectors(self, keys: Sequence[str]) -> np.ndarray:
        if any(key not in self.kept for key in keys):
            raise GalleryError("none has this key")
        return np.array([self.kept[key][1] for key in keys], np.float32).reshape(-1, self.dimension)

    def search(self, vectors: np.ndarray, top: int, where: Sequence[Condition] = ()) -> list[list[tuple[str, float]]]:
        check_top(top, self.address)
        keys = self.fitting(where)
        matrix = self.vectors(keys)
        scores = [(matrix * query).sum(axis=1).tolist() for query in check_vectors(vectors, self.dimension, "")]
        return [sorted(zip(keys, row, strict=True), key=self.order)[:top] for row in scores]

    def order(self, hit: tuple[str, float]) -> Any:
        return -hit[1], hit[0]

    def fitting(self, where: Sequence[Condition]) -> list[str]:
        check_conditions(where, self.kinds, self.address)
        return [key for key, (row, _) in self.kept.items() if fits(row, where)]

    def count(self, where: Sequence[Condition] = ()) -> int:
        return len(self.fitting(where))

    def facts(self) -> Mapping[str, str]:
        return dict(self.kinds)

    def flush(self) -> None:
        pass

    def drop(self) -> None:
        self.places.pop(self.address, None)

    def close(self) -> None:
        pass


class WithoutFlush(Memory):
    flush = None  # type: ignore[assignment]


class CutsHeaders(Memory):
    def set_header(self, header: str) -> None:
        self.header = header[:65535]


class TakesAnotherPlace(Memory):
    @classmethod
    def create(cls, address: str, header: str, dimension: int) -> Memory:
        cls.places[address] = cls(header, dimension, address)
        return cls.places[address]


class TakesAnyVector(Memory):
    def add(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        self.kinds |= check_rows(rows, self.kinds, self.address)
        self.kept |= {row.key: (row, vector) for row, vector in zip(rows, vectors, strict=False)}


class AddsHalf(Memory):
    def add(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        for row, vector in zip(rows, check_vectors(vectors, self.dimension, "", rows=len(rows)), strict=True):
            super().add([row], vector[None])


class KeepsOldFacts(Memory):
    def add(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        old = {key: row.facts for key, (row, _) in self.kept.items()}
        super().add([Row(row.key, row.record, {**old.get(row.key, {}), **row.facts}) for row in rows], vectors)


class AnyOrder(Memory):
    def order(self, hit: tuple[str, float]) -> Any:
        return -hit[1], hit[0][::-1]


class WorstFirst(Memory):
    def order(self, hit: tuple[str, float]) -> Any:
        return hit[1], hit[0]


class CountsWhatWasAsked(Memory):
    def delete(self, keys: Sequence[str]) -> int:
        super().delete(keys)
        return len(keys)


class FitsWithoutTheFact(Memory):
    def fitting(self, where: Sequence[Condition]) -> list[str]:
        lenient = [key for key, (row, _) in self.kept.items() if any(each.fact not in row.facts for each in where)]
        return super().fitting(where) + [key for key in lenient if where[0].comparison == "!="]


class FloatsAlone(Memory):
    def fitting(self, where: Sequence[Condition]) -> list[str]:
        rounded = [
            Condition(each.fact, each.comparison, float(each.value)) if type(each.value) is int else each
            for each in where
        ]
        check_conditions(where, self.kinds, "")
        return super().fitting(rounded)


class ComparesHalfCharacters(Memory):
    def fitting(self, where: Sequence[Condition]) -> list[str]:
        check_conditions(where, self.kinds, "")
        if not where or where[0].comparison != "<" or not isinstance(where[0].value, str):
            return super().fitting(where)
        limit = where[0].value.encode("utf-16-be", "surrogatepass")
        facts = {key: row.facts.get(where[0].fact) for key, (row, _) in self.kept.items()}
        return [
            key
            for key, value in facts.items()
            if isinstance(value, str) and value.encode("utf-16-be", "surrogatepass") < limit
        ]


class IgnoresFilters(Memory):
    def search(self, vectors: np.ndarray, top: int, where: Sequence[Condition] = ()) -> list[list[tuple[str, float]]]:
        check_conditions(where, self.kinds, "")
        return super().search(vectors, top)


class FindsUnknownFacts(Memory):
    def fitting(self, where: Sequence[Condition]) -> list[str]:
        return super().fitting([each for each in where if each.fact in self.kinds])


class WholeNumbers(Memory):
    def rows(self, keys: Sequence[str] | None = None) -> Iterator[Row]:
        for row in super().rows(keys):
            yield Row(
                row.key, row.record, {k: int(v) if v == 1.0 and type(v) is float else v for k, v in row.facts.items()}
            )


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Any:
    """check_engine on a class that is registered for the test alone."""

    def run(kind: type[Memory]) -> None:
        monkeypatch.setitem(ENGINES._module_dict, "memory", kind)
        numbers = count()
        check_engine(lambda: f"memory://{kind.__name__}{next(numbers)}", rows=700)

    return run


def test_an_engine_that_keeps_every_promise_passes_and_leaves_nothing(check: Any) -> None:
    check(Memory)
    assert not Memory.places


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (WithoutFlush, "has all that an engine has: it lacks flush"),
        (CutsHeaders, "keeps the header, and replaces it as a whole"),
        (TakesAnotherPlace, "refuses to create a gallery where one is"),
        (TakesAnyVector, "refuses vectors that do not fit"),
        (AddsHalf, "refuses rows that do not fit, and keeps nothing of them"),
        (KeepsOldFacts, "replaces a row of the same key, and all its facts"),
        (CountsWhatWasAsked, "while it is empty"),
        (AnyOrder, "gives equal scores in order of keys"),
        (WorstFirst, "is found as"),
        (WholeNumbers, "gives all rows as they were added"),
        (FitsWithoutTheFact, "compares a text as Python does"),
        (FloatsAlone, "compares a number as Python does"),
        (ComparesHalfCharacters, "compares a text as Python does"),
        (IgnoresFilters, "rows that fit every condition"),
        (FindsUnknownFacts, "refuses a filter on a fact that is not there"),
    ],
)
def test_a_broken_promise_is_told_by_its_name(check: Any, kind: type[Memory], promise: str) -> None:
    kind.places = {}
    with pytest.raises(BrokenPromiseError, match=promise) as raised:
        check(kind)
    assert f"engine {kind.__name__} breaks a promise" in str(raised.value)
