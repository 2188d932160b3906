"""A gallery in Milvus when things go wrong, and when it is large."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from stalling_relay import StallingRelay

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.engines import MilvusEngine
from tipr_zoo.gallery.engines.milvus_search import has_graph
from tipr_zoo.protocols import Condition, Row
from tipr_zoo.testing.engine_rows import DIMENSION, row_key, unit_vectors

ROWS = 1500


@pytest.fixture(scope="module")
def relay(milvus_place: Callable[[], str]) -> Iterator[StallingRelay]:
    """A relay before the server, to be cut off."""
    relay = StallingRelay(int(milvus_place().partition("127.0.0.1:")[2].partition("/")[0]))
    yield relay
    relay.cut()


@pytest.fixture(scope="module")
def address(milvus_place: Callable[[], str], relay: StallingRelay) -> Iterator[str]:
    """A gallery with `ROWS` rows, by way of the relay."""
    place = milvus_place()
    engine = MilvusEngine.create(place, "{}", DIMENSION)
    rows = [Row(row_key(n), "{}", {"camera": str(n % 3), "time": n}) for n in range(ROWS)]
    engine.add(rows, unit_vectors(ROWS))
    yield f"milvus+http://127.0.0.1:{relay.port}/{place.rpartition('/')[2]}"
    engine.drop()


def told(engine_call: Callable[[], object]) -> str:
    with pytest.raises(GalleryError) as raised:
        engine_call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.slow
def test_a_server_that_is_gone_is_told_at_once_and_found_again(relay: StallingRelay, address: str) -> None:
    engine = MilvusEngine.open(address)
    relay.cut()
    try:
        began = time.monotonic()
        message = told(engine.count)
        assert message.startswith(f"{address}: the server cannot be reached")
        assert time.monotonic() - began < 10
    finally:
        relay.restore()
    assert engine.count() == ROWS  # without being opened again


def test_a_server_that_says_nothing_is_waited_for_as_long_as_the_address_says(
    relay: StallingRelay, address: str
) -> None:
    engine = MilvusEngine.open(f"{address}?timeout=3")
    relay.stalls = True
    try:
        began = time.monotonic()
        assert "did not answer within 3 s" in told(engine.count)
        assert time.monotonic() - began < 15
    finally:
        relay.stalls = False
    assert engine.count() == ROWS


def test_another_gallery_under_the_name_is_told(milvus_place: Callable[[], str]) -> None:
    place = milvus_place()
    engine = MilvusEngine.create(place, "{}", DIMENSION)
    MilvusEngine.open(place).drop()
    other = MilvusEngine.create(place, '{"other": 1}', DIMENSION)
    for call in (
        engine.count,
        lambda: engine.search(unit_vectors(1), 3),
        lambda: engine.add([Row(row_key(1), "{}")], unit_vectors(1)),
        lambda: engine.delete([row_key(1)]),
        lambda: engine.set_header("{}"),
        lambda: list(engine.rows()),
        engine.drop,
    ):
        assert "another" in told(call)
    assert other.header == '{"other": 1}'
    assert other.count() == 0
    other._about._write({"format": json.dumps({"format": 2, "dimension": 3})})
    assert "the gallery is of format 2, and this tipr-zoo reads 1; upgrade tipr-zoo" in told(
        lambda: MilvusEngine.open(place)
    )
    other._requests.send("delete", other._about.collection, ids=["format"])
    assert "its creation was cut off" in told(lambda: MilvusEngine.open(place))
    again = MilvusEngine.create(place, "{}", DIMENSION)
    assert again.count() == 0
    again.drop()
    assert not [name for name in other._requests.send("list_collections") if place.rpartition("/")[2] in name]


def test_what_milvus_cannot_keep_is_told_before_anything_is_sent(address: str) -> None:
    engine = MilvusEngine.open(address)
    for facts in ({"camera": "x" * 40_000}, {"n" * 70_000: 1}):
        rows = [Row(row_key(10**6), "{}"), Row(row_key(10**6 + 1), "{}", facts)]
        assert "too l" in told(lambda rows=rows: engine.add(rows, unit_vectors(2)))  # type: ignore[misc]
    assert "vectors of 2 to 32768 numbers" in told(lambda: MilvusEngine.create(address + "_b", "{}", 1))
    assert engine.count() == ROWS
    assert len(engine.search(unit_vectors(1), 20_000)[0]) == ROWS


def test_more_rows_than_an_answer_holds_are_read_in_order(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tipr_zoo.gallery.engines.milvus.MOST_RESULTS", 1000)
    engine = MilvusEngine.open(address)
    in_order = sorted(row_key(n) for n in range(ROWS))
    assert [row.key for row in engine.rows()] == in_order
    assert [row.key for row in engine._rows_of_prefix("")] == in_order  # where more keys begin alike than hashes do
    assert "at most 1000 hits" in told(lambda: engine.search(unit_vectors(1), 1001))


@pytest.mark.slow
def test_above_a_size_an_index_proposes_and_the_vectors_decide(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MilvusEngine, "EXACT_BELOW", 1000)
    vectors, queries = unit_vectors(ROWS), unit_vectors(20, seed=5)
    engine = MilvusEngine.open(address)
    engine.flush()
    assert has_graph(engine._requests, engine._about.rows)
    broad, narrow = [Condition("camera", "!=", "0")], [Condition("time", "<", 30)]
    cosines = queries @ vectors.T
    for where, fits in (((), slice(None)), (broad, np.arange(ROWS) % 3 != 0), (narrow, np.arange(ROWS) < 30)):
        found = MilvusEngine.open(address).search(queries, 10, where)
        right = 0
        for hits, row in zip(found, cosines, strict=True):
            keys = np.array([row_key(n) for n in range(ROWS)])[fits]
            right += len(set(keys[np.argsort(-row[fits])[:10]].tolist()) & {key for key, _ in hits})
        assert right >= 198, where
    engine.add([Row(row_key(10**6), "{}", {"camera": "1"})], queries[:1])
    assert engine.search(queries[:1], 1, broad)[0][0][0] == row_key(10**6)
    assert engine.delete([row_key(10**6)]) == 1
