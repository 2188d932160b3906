"""The room of deleted rows is given back: nothing else changes, whoever reads or kills meanwhile."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_disk import files_of_at_most

from tipr_zoo.gallery.engines import folder_access
from tipr_zoo.gallery.engines.folder import FolderEngine
from tipr_zoo.gallery.engines.snapshot import Snapshot
from tipr_zoo.protocols import Condition
from tipr_zoo.testing.engine_rows import row_key, sample_rows, unit_vectors

COUNT = 3000


def engine_with(place: Path, count: int = COUNT) -> FolderEngine:
    engine = FolderEngine.create(str(place), "{}", 24)
    engine.add(sample_rows(count), unit_vectors(count))
    return engine


def doomed() -> list[str]:
    return [row_key(number) for number in range(COUNT) if number % 3]


def size_of_vectors(place: Path) -> int:
    return sum(file.stat().st_size for file in place.glob("vectors.*"))


def state(engine: FolderEngine) -> tuple[object, ...]:
    rows = list(engine.rows())
    queries = unit_vectors(5, seed=7)
    fact, kind = next((fact, kind) for fact, kind in sorted(engine.facts().items()) if kind == "number")
    del kind
    where = [Condition(fact, ">=", 0)]
    found = engine.search(queries, 20), engine.search(queries, 20, where), engine.count(where)
    return rows, engine.vectors([row.key for row in rows]).tobytes(), found, engine.damaged(), engine.facts()


def test_the_room_is_given_back_and_nothing_else_changes(tmp_path: Path) -> None:
    engine = engine_with(tmp_path / "g")
    reader = FolderEngine.open(str(tmp_path / "g"))
    engine.delete(doomed())
    before = state(engine)
    assert state(reader) == before
    engine.flush()
    assert size_of_vectors(tmp_path / "g") == COUNT // 3 * 24 * 4
    for one in (engine, reader, FolderEngine.open(str(tmp_path / "g"))):
        assert state(one) == before
    rows = sample_rows(COUNT)
    engine.add([row for row in rows if row.key in set(doomed())], unit_vectors(COUNT)[np.arange(COUNT) % 3 > 0])
    engine.flush()
    assert state(reader) == state(engine_with(tmp_path / "other"))


def test_a_reader_whose_file_just_went_looks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = engine_with(tmp_path / "g")
    writer.delete(doomed())
    expected = writer.search(unit_vectors(5, seed=7), 20)
    reader = FolderEngine.open(str(tmp_path / "g"))
    snapshot = folder_access.current_snapshot
    calls: list[sqlite3.Connection] = []

    def late(connection: sqlite3.Connection, *others: Any) -> Snapshot:
        calls.append(connection)
        if len(calls) == 1:
            connection.execute("SELECT count(*) FROM rows").fetchone()  # from here on the reader sees what was
            writer.flush()
        return snapshot(connection, *others)

    monkeypatch.setattr(folder_access, "current_snapshot", late)
    assert reader.search(unit_vectors(5, seed=7), 20) == expected
    assert calls.count(calls[0]) == 2


def test_all_rows_can_go(tmp_path: Path) -> None:
    engine = engine_with(tmp_path / "g")
    engine.delete([row_key(number) for number in range(COUNT)])
    engine.flush()
    assert (engine.count(), size_of_vectors(tmp_path / "g")) == (0, 0)
    engine.add(sample_rows(5), unit_vectors(5))
    assert [row.key for row in FolderEngine.open(str(tmp_path / "g")).rows()] == sorted(map(row_key, range(5)))


def test_few_holes_stay(tmp_path: Path) -> None:
    engine = engine_with(tmp_path / "g")
    engine.delete([row_key(number) for number in range(900)])
    engine.flush()
    assert size_of_vectors(tmp_path / "g") == COUNT * 24 * 4


def test_a_full_disk_puts_it_off(tmp_path: Path) -> None:
    engine = engine_with(tmp_path / "g")
    engine.delete(doomed())
    before = state(engine)
    with files_of_at_most(COUNT // 4 * 24 * 4):
        engine.flush()
    assert state(engine) == before
    engine.flush()
    assert (state(engine), size_of_vectors(tmp_path / "g")) == (before, COUNT // 3 * 24 * 4)


def test_while_another_writes_it_is_put_off(tmp_path: Path) -> None:
    engine = engine_with(tmp_path / "g")
    engine.delete(doomed())
    other = FolderEngine.open(str(tmp_path / "g"))
    with other.writing():
        engine.flush()
        assert size_of_vectors(tmp_path / "g") == COUNT * 24 * 4
        other.flush()
    assert size_of_vectors(tmp_path / "g") == COUNT // 3 * 24 * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_kill_leaves_it_whole(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    unfinished = 0
    for number in range(12):
        place = tmp_path / f"g{number}"
        engine = engine_with(place)
        engine.delete(doomed())
        before = state(engine)
        engine.close()
        process = os.fork()
        if process == 0:
            FolderEngine.open(str(place)).flush()
            os._exit(0)
        time.sleep(float(random.uniform(0.0, 0.03)))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        engine = FolderEngine.open(str(place))
        unfinished += size_of_vectors(place) != COUNT // 3 * 24 * 4
        assert state(engine) == before
        engine.flush()
        assert (state(engine), size_of_vectors(place)) == (before, COUNT // 3 * 24 * 4)
        engine.close()
    assert unfinished
