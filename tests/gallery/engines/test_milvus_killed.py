"""Milvus is killed while rows are added, and started again: what was acknowledged is there, once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from engine_servers import MilvusServer

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.engines import MilvusEngine
from tipr_zoo.protocols import Row
from tipr_zoo.testing.engine_rows import DIMENSION, row_key, unit_vectors

BATCH, SECONDS = 50, 120


@pytest.fixture
def server(milvus_place: Callable[[], str]) -> Iterator[MilvusServer]:
    """A server of this test's own, to be killed."""
    server = MilvusServer()
    yield server
    server.stop()


@pytest.mark.slow
def test_what_was_acknowledged_is_there_once(server: MilvusServer) -> None:
    engine = MilvusEngine.create(server.address("killed"), "{}", DIMENSION)
    vectors = unit_vectors(BATCH)
    acknowledged: list[str] = []
    failed: list[GalleryError] = []

    def add() -> None:
        for start in range(0, 10**6, BATCH):
            rows = [Row(row_key(n), "{}", {"time": n}) for n in range(start, start + BATCH)]
            try:
                engine.add(rows, vectors)
            except GalleryError as error:
                failed.append(error)
                return
            acknowledged.extend(row.key for row in rows)

    thread = threading.Thread(target=add)
    thread.start()
    while len(acknowledged) < 5 * BATCH:
        time.sleep(0.01)
    server.kill()
    thread.join(SECONDS)
    assert failed, "adding to a server that was killed was not told"
    server.start()
    engine = MilvusEngine.open(server.address("killed"))
    kept = [row.key for row in engine.rows()]
    assert len(set(kept)) == len(kept) == engine.count()
    assert set(acknowledged) <= set(kept)
    assert len(kept) <= len(acknowledged) + BATCH
    engine.add([Row(row_key(-1), "{}", {})], vectors[:1])
    assert engine.count() == len(kept) + 1
