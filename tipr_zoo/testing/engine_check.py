"""Trying the promises of what keeps galleries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from tipr_zoo.errors import GalleryError
from tipr_zoo.protocols import Condition, Engine, Row, missing_names
from tipr_zoo.registries import ENGINES
from tipr_zoo.testing.engine_answers import ROUNDING, expect_near, expect_nearest, expect_refused
from tipr_zoo.testing.engine_filters import check_filters
from tipr_zoo.testing.engine_refusals import check_refusals
from tipr_zoo.testing.engine_rows import DIMENSION, LARGEST_RECORD, row_key, sample_rows, unit_vectors
from tipr_zoo.testing.trial import Trial, expect

HEADER = '{"model": "any", "words": ["\\u0000", "\\udcff"]}'


def check_engine(make: Callable[[], str], rows: int = 2500) -> None:
    """Try every promise of an engine that is registered in `tipr_zoo.registries.ENGINES`.

    Exactness is tried against NumPy, on galleries small enough to be searched exactly by every engine.

    Args:
        make: Returns the address of a place where a gallery can be made and none is; another one each time. Its
            beginning says which engine is tried. What is made there is dropped again.
        rows: Rows of the larger gallery; more than one page of whatever the engine reads in pages.

    Raises:
        BrokenPromiseError: A promise is broken. The message names the first one.
    """
    address = make()
    kind = engine_class(address)
    trial = Trial(f"engine {kind.__name__}")
    _check_life(trial, kind, address)
    with _gallery(kind, make()) as engine:
        _check_empty(trial, engine)
        check_refusals(trial, engine)
        _check_replacing_and_deleting(trial, engine)
        _check_equal_scores(trial, engine)
    place = make()
    with _gallery(kind, place) as engine:
        kept = sample_rows(rows)
        vectors = unit_vectors(rows)
        for start in range(0, rows, 1000):
            engine.add(kept[start : start + 1000], vectors[start : start + 1000])
        _check_reading(trial, engine, kept, vectors)
        _check_exactness(trial, engine, kept, vectors)
        check_filters(trial, engine, kept, vectors)
        _check_together(trial, kind, place, engine, kept, vectors)


def engine_class(address: str) -> type[Engine]:
    """Return the registered engine whose addresses begin like this one.

    Args:
        address: The address of a gallery.
    """
    beginning = address.partition("://")[0] if "://" in address else None
    for name in ENGINES.names():
        kind: type[Engine] = ENGINES.get(name)
        if beginning in kind.scheme or (beginning is None and not kind.scheme):
            return kind
    raise GalleryError(f"{address}: no engine is registered for such an address; register it in ENGINES")


@contextmanager
def _gallery(kind: type[Engine], address: str) -> Iterator[Engine]:
    """Give an empty gallery, which is dropped at the end."""
    engine = kind.create(address, HEADER, DIMENSION)
    try:
        yield engine
    finally:
        engine.drop()
        engine.close()


def _check_life(trial: Trial, kind: type[Engine], address: str) -> None:
    with trial.promise("refuses to open where nothing is"):
        expect_refused(lambda: kind.open(address), "open")
    engine = kind.create(address, HEADER, DIMENSION)
    with trial.promise("has all that an engine has"):
        missing = missing_names(engine, Engine)
        expect(not missing, f"it lacks {', '.join(missing)}")
    try:
        with trial.promise("keeps the header, and replaces it as a whole"):
            expect(engine.header == HEADER, f"the header is {engine.header[:200]!r}")
            long = '{"words": "' + "jacket " * 40_000 + '"}'
            engine.set_header(long)
            expect(engine.header == long, "a header of 280,000 characters is another after set_header")
            expect(_opened(kind, address).header == long, "a gallery that is opened has another header")
            engine.set_header(HEADER)
            expect(_opened(kind, address).header == HEADER, "a header that became shorter is another")
        with trial.promise("refuses to create a gallery where one is"):
            expect_refused(lambda: kind.create(address, "{}", DIMENSION), "create")
            expect(engine.header == HEADER, "the gallery that was there has another header then")
    finally:
        engine.drop()
        engine.close()
    with trial.promise("drops a gallery, so that another can be made there"):
        expect_refused(lambda: kind.open(address), "open of what was dropped")
        again = kind.create(address, "{}", DIMENSION + 1)
        expect(again.header == "{}", "the new gallery has another header")
        again.add([Row(row_key(0), "{}")], unit_vectors(1, DIMENSION + 1))
        expect(again.count() == 1, f"the new gallery has {again.count()} rows after one was added")
        again.drop()
        again.close()


def _opened(kind: type[Engine], address: str) -> Engine:
    engine = kind.open(address)
    engine.close()
    return kind.open(address)  # a closed one must not stand in the way


def _check_empty(trial: Trial, engine: Engine) -> None:
    with trial.promise("answers while it is empty"):
        queries = unit_vectors(2)
        expect(engine.count() == 0, f"count gives {engine.count()}")
        expect(engine.search(queries, 5) == [[], []], "search finds something")
        expect(engine.search(queries[:0], 5) == [], "no query has an answer")
        expect(list(engine.rows()) == [], "rows gives something")
        expect(list(engine.rows([row_key(0)])) == [], "rows gives something for a key")
        expect(engine.vectors([]).shape == (0, DIMENSION), f"no vectors are {engine.vectors([]).shape}")
        expect(engine.delete([row_key(0)]) == 0, "delete deletes something")
        expect(engine.delete([]) == 0, "delete deletes something")
        expect(dict(engine.facts()) == {}, "it has facts")
        engine.add([], unit_vectors(0))
        engine.flush()
        expect(engine.count() == 0, "adding nothing adds something")


def _check_replacing_and_deleting(trial: Trial, engine: Engine) -> None:
    rows = [Row(row_key(n), f'{{"n": {n}}}', {"camera": str(n), "only": n}) for n in range(4)]
    vectors = unit_vectors(4)
    engine.add(rows, vectors)
    with trial.promise("replaces a row of the same key, and all its facts"):
        other = -vectors[:1]
        engine.add([Row(rows[0].key, '{"n": "new"}', {"camera": "9"})], other)
        expect(engine.count() == 4, f"{engine.count()} rows are there")
        row = next(iter(engine.rows([rows[0].key])))
        expect(row == Row(rows[0].key, '{"n": "new"}', {"camera": "9"}), f"the row is {row}")
        expect_near(engine.vectors([rows[0].key]), other, "its vector")
        found = engine.search(other, 1)[0]
        expect(found[0][0] == rows[0].key and abs(found[0][1] - 1) < ROUNDING, f"its vector is found as {found}")
        expect(engine.count([Condition("only", "=", 0)]) == 0, "a fact that it no longer has fits a filter")
        expect(engine.count([Condition("camera", "=", "0")]) == 0, "the old value of a fact fits a filter")
    with trial.promise("deletes rows, and counts those that were there"):
        expect(engine.delete([rows[1].key, row_key(77), rows[2].key]) == 2, "delete of two and a stranger is not 2")
        expect(engine.count() == 2, f"{engine.count()} rows are left of 4")
        expect({key for key, _ in engine.search(vectors[1:2], 9)[0]} == {rows[0].key, rows[3].key}, "search finds one")
        expect(engine.delete([rows[1].key]) == 0, "a row is deleted twice")
        engine.add(rows[1:2], vectors[1:2])
        expect(engine.search(vectors[1:2], 1)[0][0][0] == rows[1].key, "a row that is added again is not found")
    with trial.promise("keeps the largest record whole"):
        largest = Row(row_key(5), '"' + "\\" * (LARGEST_RECORD - 2) + '"', {"camera": "x" * 5000})
        engine.add([largest], vectors[:1])
        expect(list(engine.rows([largest.key])) == [largest], "it comes back as another")
    engine.delete([row.key for row in engine.rows()])


def _check_equal_scores(trial: Trial, engine: Engine) -> None:
    with trial.promise("gives equal scores in order of keys"):
        keys = sorted(row_key(n) for n in range(60))
        one = unit_vectors(1)
        shuffled = [keys[n] for n in np.random.default_rng(1).permutation(60)]
        engine.add([Row(key, "{}") for key in shuffled], np.repeat(one, 60, axis=0))
        for top in (1, 7, 59, 60, 100):
            found = [key for key, _ in engine.search(one, top)[0]]
            expect(found == keys[:top], f"of 60 equal rows the best {top} are others, or in another order")
        engine.delete(keys[:5])
        expect([key for key, _ in engine.search(one, 3)[0]] == keys[5:8], "after deletion the best 3 are others")


def _check_reading(trial: Trial, engine: Engine, rows: Sequence[Row], vectors: np.ndarray) -> None:
    in_order = sorted(rows, key=lambda row: row.key)
    with trial.promise("gives all rows as they were added, in order of keys"):
        found = list(engine.rows())
        expect(
            [row.key for row in found] == [row.key for row in in_order], f"it gives {len(found)} of {len(rows)} keys"
        )
        wrong = next((pair for pair in zip(found, in_order, strict=True) if not _is_same(*pair)), None)
        expect(wrong is None, f"a row comes back as another: {wrong}")
    with trial.promise("gives the rows and vectors of some keys"):
        some = [rows[n] for n in (5, 3, len(rows) - 1, 4)]
        keys = [row.key for row in some]
        by_key = {row.key: row for row in engine.rows([*keys, row_key(len(rows) + 1)])}
        expect(by_key == {row.key: row for row in some}, f"it gives {sorted(by_key)}")
        expect_near(engine.vectors(keys), vectors[[5, 3, len(rows) - 1, 4]], "vectors in the order of the keys")
        expect_refused(lambda: engine.vectors([keys[0], row_key(len(rows) + 1)]), "the vector of an unknown key")
        expect_near(engine.vectors([row.key for row in rows]), vectors, "all vectors")


def _check_exactness(trial: Trial, engine: Engine, rows: Sequence[Row], vectors: np.ndarray) -> None:
    with trial.promise("finds the nearest, before and after flush, and what is added then"):
        queries = unit_vectors(5, seed=3)
        expect_nearest(engine, queries, rows, vectors, ())
        engine.flush()
        expect_nearest(engine, queries, rows, vectors, ())
        engine.add([Row(row_key(10**6), "{}")], queries[:1])
        expect(engine.search(queries[:1], 1)[0][0][0] == row_key(10**6), "a row that was added last is not found")
        expect(engine.delete([row_key(10**6)]) == 1, "it is not deleted")
        expect(len(engine.search(queries[:1], len(rows) + 9)[0]) == len(rows), "more than all hits are not all hits")
        expect_nearest(engine, unit_vectors(70, seed=4), rows, vectors, (), top=3)


def _check_together(
    trial: Trial, kind: type[Engine], address: str, engine: Engine, rows: Sequence[Row], vectors: np.ndarray
) -> None:
    other = kind.open(address)
    try:
        with trial.promise("shows at once what another process adds and deletes"):
            new = replace(rows[0], key=row_key(10**6 + 1), facts={"new here": True})
            other.add([new], vectors[:1])
            expect(engine.count([Condition("new here", "=", True)]) == 1, "a new fact is not there")
            expect(new.key in {key for key, _ in engine.search(vectors[:1], 2)[0]}, "a row that was added is not found")
            expect(engine.delete([new.key]) == 1, "it is not deleted")
            expect(other.count() == len(rows), "a row that was deleted is counted")
    finally:
        other.close()
    with trial.promise("answers several threads at once"), ThreadPoolExecutor(4) as pool:
        expected = engine.search(vectors[:8], 3)
        found = list(pool.map(lambda n: engine.search(vectors[n : n + 1], 3)[0], list(range(8)) * 2))
        expect(
            [[key for key, _ in hits] for hits in found] == 2 * [[key for key, _ in hits] for hits in expected], "hits"
        )


def _is_same(found: Row, row: Row) -> bool:
    """Tell whether two rows are the same, also by the types of their facts."""
    return found == row and all(type(found.facts[name]) is type(value) for name, value in row.facts.items())
