"""The engine of folders: what outlasts a kill and a full disk, who may write, and what is told of a damaged one."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_disk import files_of_at_most

from tipr_zoo.errors import GalleryError, WriteError
from tipr_zoo.gallery.engines.folder import FolderEngine
from tipr_zoo.protocols import Condition, Row
from tipr_zoo.testing.engine_rows import row_key, sample_rows, unit_vectors


def engine_with(folder: Path, count: int) -> FolderEngine:
    engine = FolderEngine.create(str(folder), "{}", 24)
    engine.add(sample_rows(count), unit_vectors(count))
    return engine


def test_what_was_added_outlasts_kills_and_nothing_is_there_twice(tmp_path: Path) -> None:
    rows, vectors = sample_rows(2000), unit_vectors(2000)
    FolderEngine.create(str(tmp_path / "g"), "{}", 24).close()
    done = tmp_path / "done"
    started = 0
    random = np.random.default_rng(0)
    for _ in range(15):
        process = os.fork()
        if process == 0:
            engine = FolderEngine.open(str(tmp_path / "g"))
            with done.open("a") as acknowledged:
                for place in range(started, len(rows), 20):
                    engine.add(rows[place : place + 20], vectors[place : place + 20])
                    acknowledged.write(f"{place}\n")
                    acknowledged.flush()
            os._exit(0)
        time.sleep(float(random.uniform(0.02, 0.2)))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        engine = FolderEngine.open(str(tmp_path / "g"))
        last = [int(line) for line in done.read_text().split()] if done.exists() else []
        kept = {row.key: row for row in engine.rows()}
        started = last[-1] + 20 if last else 0
        assert len(kept) == engine.count()
        assert all(kept[row.key] == row for row in rows[:started])
        assert len(kept) in (started, started + 20)  # the batch at hand is there as a whole, or not at all
        assert engine.damaged() == []
        engine.close()
    assert started > 0
    engine = FolderEngine.open(str(tmp_path / "g"))
    assert np.array_equal(engine.vectors([row.key for row in rows[:started]]), vectors[:started])


def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path) -> None:
    engine = engine_with(tmp_path / "g", 50)
    before = list(engine.rows())
    for limit in (5_000, 30_000):
        with files_of_at_most(limit), pytest.raises(WriteError, match="cannot be written"):
            engine.add(sample_rows(3000, start=50), unit_vectors(3000))
    assert list(engine.rows()) == before
    assert engine.damaged() == []
    engine.add(sample_rows(50, start=50), unit_vectors(50, seed=9))
    assert engine.count() == 100
    assert FolderEngine.open(str(tmp_path / "g")).damaged() == []


def test_a_second_writer_is_told_and_a_reader_is_not(tmp_path: Path) -> None:
    engine = engine_with(tmp_path / "g", 20)
    other = FolderEngine.open(str(tmp_path / "g"))
    with engine.writing():
        with (
            pytest.raises(GalleryError, match=r"another process is writing into the gallery .*/g; wait"),
            other.writing(),
        ):
            pass
        assert len(other.search(unit_vectors(1), 5)[0]) == 5
        engine.add(sample_rows(1, start=20), unit_vectors(1, seed=8))
        assert other.count() == 21
    with other.writing():
        pass


def test_a_gallery_that_cannot_be_written_to_can_be_searched(tmp_path: Path) -> None:
    engine_with(tmp_path / "g", 20).close()
    tables = tmp_path / "g" / "gallery.sqlite"
    expected = FolderEngine.open(str(tmp_path / "g")).search(unit_vectors(2), 5)
    for path in (*tables.parent.iterdir(), tables.parent):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        found = FolderEngine.open(str(tmp_path / "g")).search(unit_vectors(2), 5)
    finally:
        tables.parent.chmod(0o755)
    assert found == expected


@pytest.mark.parametrize(
    "name", ["g", "two words", "caf\udce9", "人", "-g", "a'b\"; DROP TABLE rows; --", "a%20b?mode=ro#x"]
)
def test_a_gallery_may_be_called_anything(tmp_path: Path, name: str) -> None:
    engine_with(tmp_path / name, 5).close()
    assert FolderEngine.open(str(tmp_path / name)).count() == 5


def test_what_is_no_gallery_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    for name, what in (
        ("nothing", "there is nothing"),
        ("folder", "there is a folder without"),
        ("folder/file", "a file"),
    ):
        with pytest.raises(GalleryError, match=f"no gallery at .*{name}: .*{what}"):
            FolderEngine.open(str(tmp_path / name))
    for name in ("folder", "folder/file"):
        with pytest.raises(GalleryError, match="is there and is no gallery"):
            FolderEngine.create(str(tmp_path / name), "{}", 4)
    with pytest.raises(WriteError, match="make the folder"):
        FolderEngine.create(str(tmp_path / "none" / "g"), "{}", 4)
    (tmp_path / "tables").mkdir()
    sqlite3.connect(tmp_path / "tables" / "gallery.sqlite").execute("CREATE TABLE a (b)").connection.close()
    with pytest.raises(GalleryError, match=r"is no gallery's"):
        FolderEngine.open(str(tmp_path / "tables"))


def test_a_gallery_of_another_version_is_told(tmp_path: Path) -> None:
    engine_with(tmp_path / "g", 5).close()
    with sqlite3.connect(tmp_path / "g" / "gallery.sqlite") as tables:
        tables.execute("PRAGMA user_version=9")
    with pytest.raises(GalleryError, match="is of version 9, and this tipr-zoo reads 1"):
        FolderEngine.open(str(tmp_path / "g"))


@pytest.mark.parametrize("left", [0, 1, 100, 479])
def test_truncated_vectors_are_told_and_never_searched(tmp_path: Path, left: int) -> None:
    engine_with(tmp_path / "g", 5).close()
    os.truncate(tmp_path / "g" / "vectors.1.f32", left)
    engine = FolderEngine.open(str(tmp_path / "g"))
    for what in (lambda: engine.search(unit_vectors(1), 3), engine.damaged, lambda: engine.vectors([row_key(0)])):
        with pytest.raises(GalleryError, match=r"vectors.1.f32 is truncated"):
            what()
    with pytest.raises(GalleryError, match="is truncated"):
        engine.add(sample_rows(1, start=7), unit_vectors(1))


@pytest.mark.parametrize("left", [0, 50, 5000])
def test_truncated_tables_are_told(tmp_path: Path, left: int) -> None:
    engine_with(tmp_path / "g", 200).close()
    os.truncate(tmp_path / "g" / "gallery.sqlite", left)
    with pytest.raises(GalleryError, match=r"g.* is damaged|is no gallery's"):
        list(FolderEngine.open(str(tmp_path / "g")).rows())


def test_vectors_that_were_changed_are_found(tmp_path: Path) -> None:
    engine = engine_with(tmp_path / "g", 5)
    with (tmp_path / "g" / "vectors.1.f32").open("r+b") as file:
        file.seek(24 * 4 * 2 + 7)
        file.write(b"x")
    assert engine.damaged() == [row_key(2)]


def test_equal_scores_of_many_copies_are_in_order_of_keys(tmp_path: Path) -> None:
    engine = FolderEngine.create(str(tmp_path / "g"), "{}", 24)
    vectors = np.repeat(unit_vectors(3), 1000, axis=0)
    engine.add([Row(row_key(number), "{}") for number in range(3000)], vectors)
    keys = sorted(row_key(number) for number in range(1000, 2000))
    assert [key for key, _ in engine.search(unit_vectors(3)[1:2], 7)[0]] == keys[:7]


def test_a_filter_finds_exactly_what_fits(tmp_path: Path) -> None:
    engine = FolderEngine.create(str(tmp_path / "g"), "{}", 24)
    vectors = unit_vectors(500)
    engine.add(
        [Row(row_key(n), "{}", {"camera": n % 7, "day": f"2026-05-{n % 28 + 1:02d}"}) for n in range(500)], vectors
    )
    where = [Condition("camera", "=", 3), Condition("day", ">=", "2026-05-15")]
    fitting = [n for n in range(500) if n % 7 == 3 and n % 28 + 1 >= 15]
    best = sorted(fitting, key=lambda n: -float(vectors[n] @ vectors[0]))[:10]
    assert [key for key, _ in engine.search(vectors[:1], 10, where)[0]] == [row_key(n) for n in best]
    assert engine.count(where) == len(fitting)


def test_two_processes_may_add_at_the_same_time(tmp_path: Path) -> None:
    FolderEngine.create(str(tmp_path / "g"), "{}", 24).close()
    processes = []
    for start in (0, 1000, 2000):
        if (process := os.fork()) == 0:
            engine = FolderEngine.open(str(tmp_path / "g"))
            for place in range(start, start + 1000, 50):
                engine.add(sample_rows(50, start=place), unit_vectors(50, seed=place))
            sys.stdout.flush()
            os._exit(0)
        processes.append(process)
    assert [os.waitpid(process, 0)[1] for process in processes] == [0, 0, 0]
    engine = FolderEngine.open(str(tmp_path / "g"))
    assert (engine.count(), engine.damaged()) == (3000, [])
    for start in range(0, 3000, 50):
        assert np.array_equal(
            engine.vectors([row.key for row in sample_rows(50, start=start)]), unit_vectors(50, seed=start)
        )
