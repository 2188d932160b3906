"""Codes of large galleries: what is found by them is what an exact search finds, and they are never trusted blindly."""

from __future__ import annotations

import shutil
import threading
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from tipr_zoo.gallery.engines import code_scan, codes, exact_scan, folder
from tipr_zoo.gallery.engines.folder import FolderEngine
from tipr_zoo.gallery.engines.last_writing import NAME
from tipr_zoo.protocols import Condition, Row
from tipr_zoo.testing import check_engine

COUNT, KEPT = 6000, 5980


@pytest.fixture(autouse=True)
def _every_gallery_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_scan, "EXACT_BYTES", 0)
    monkeypatch.setattr(folder, "EXACT_BYTES", 0)
    monkeypatch.setattr(code_scan, "NARROW", 0)


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many queries codes were scanned for, each time."""
    seen: list[int] = []
    scan = codes.Codes.candidates

    def noted(self: codes.Codes, snapshot: object, queries: np.ndarray, *others: object) -> object:
        seen.append(len(queries))
        return scan(self, snapshot, queries, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(codes.Codes, "candidates", noted)
    return seen


def unit_vectors(number: int, dimension: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((number, dimension), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def key(number: int) -> str:
    return f"{number:032x}"


def rows(start: int, stop: int) -> list[Row]:
    return [Row(key(n), "{}", {"camera": n % 3}) for n in range(start, stop)]


def engine_with(place: Path, vectors: np.ndarray) -> FolderEngine:
    engine = FolderEngine.create(str(place), "{}", vectors.shape[1])
    engine.add(rows(0, len(vectors)), vectors)
    return engine


def exact(vectors: np.ndarray, queries: np.ndarray, top: int, slots: np.ndarray | None = None) -> list[list[str]]:
    found = exact_scan.nearest(vectors, queries, top, slots)
    return [sorted([key(n) for n in own.tolist()], key=lambda one: one)[:top] for own, _ in found]


def keys(found: list[list[tuple[str, float]]]) -> list[list[str]]:
    return [sorted(one for one, _ in hits) for hits in found]


@pytest.mark.parametrize("dimension", [512, 96, 101])
def test_they_find_what_an_exact_search_finds(tmp_path: Path, scans: list[int], dimension: int) -> None:
    vectors, queries = unit_vectors(COUNT, dimension), unit_vectors(20, dimension, seed=1)
    engine = engine_with(tmp_path / "g", vectors)
    found = engine.search(queries, 10)
    assert keys(found) == exact(vectors, queries, 10)
    scores = np.array([[score for _, score in hits] for hits in found])
    places = np.array([[int(one, 16) for one, _ in hits] for hits in found])
    assert np.allclose(scores, np.einsum("qkd,qd->qk", vectors[places], queries), atol=1e-6)
    assert sum(scans) >= len(queries)
    assert [engine.search(queries[[n]], 10)[0] for n in range(20)] == found


def test_a_filter_and_deleted_rows_are_exact(tmp_path: Path, scans: list[int]) -> None:
    vectors, queries = unit_vectors(3 * COUNT, 64), unit_vectors(10, 64, seed=1)
    engine = engine_with(tmp_path / "g", vectors)
    best = [hits[0][0] for hits in engine.search(queries, 1)]
    assert engine.delete(best) == len(set(best))
    left = np.setdiff1d(np.arange(len(vectors)), [int(one, 16) for one in best])
    assert keys(engine.search(queries, 10)) == exact(vectors, queries, 10, left)
    fitting = left[left % 3 == 1]
    assert keys(engine.search(queries, 10, [Condition("camera", "=", 1)])) == exact(vectors, queries, 10, fitting)
    assert scans


def test_alike_vectors_are_all_found_in_order_of_keys(tmp_path: Path, scans: list[int]) -> None:
    vectors = unit_vectors(COUNT, 64)
    vectors[1000:4000] = vectors[0]
    engine = engine_with(tmp_path / "g", vectors)
    assert [one for one, _ in engine.search(vectors[:1], 10)[0]] == [key(0), *map(key, range(1000, 1009))]
    assert len(scans) == 1


def test_what_is_added_is_found_at_once_by_everybody(tmp_path: Path) -> None:
    vectors = unit_vectors(COUNT + 1, 64)
    writer = engine_with(tmp_path / "g", vectors[:COUNT])
    reader = FolderEngine.open(str(tmp_path / "g"))
    for engine in (writer, reader):
        assert engine.search(vectors[COUNT:], 1)[0][0][0] != key(COUNT)
    writer.add(rows(COUNT, COUNT + 1), vectors[COUNT:])
    for engine in (writer, reader, FolderEngine.open(str(tmp_path / "g"))):
        assert engine.search(vectors[COUNT:], 1)[0][0][0] == key(COUNT)


def test_they_are_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, queries = unit_vectors(COUNT, 64), unit_vectors(5, 64, seed=1)
    engine = engine_with(tmp_path / "g", vectors)
    expected = engine.search(queries, 10)
    engine.flush()
    assert len(list((tmp_path / "g").glob("*.codes"))) == 1
    engine.delete([key(0)])
    engine.add(rows(0, 1), vectors[:1])
    engine.flush()
    (file,) = (tmp_path / "g").glob("*.codes")
    assert f".{COUNT}." in file.name  # one vector more is not worth writing them anew

    def refuse(*_: object) -> None:
        raise AssertionError("the codes are made anew")

    monkeypatch.setattr(codes.VectorFile, "copied", refuse)
    with pytest.raises(AssertionError):
        FolderEngine.open(str(tmp_path / "g")).search(queries, 10)  # that of the vector that was added since
    monkeypatch.undo()
    monkeypatch.setattr(code_scan, "EXACT_BYTES", 0)
    monkeypatch.setattr(folder, "EXACT_BYTES", 0)
    assert FolderEngine.open(str(tmp_path / "g")).search(queries, 10) == expected


@pytest.mark.parametrize("damage", ["truncated", "empty", "of others", "a folder"])
def test_a_damaged_file_of_codes_changes_nothing(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, queries = unit_vectors(COUNT, 64), unit_vectors(5, 64, seed=1)
    engine = engine_with(tmp_path / "g", vectors)
    engine.flush()
    other = engine_with(tmp_path / "other", unit_vectors(COUNT, 64, seed=2))
    other.flush()
    (file,), (others,) = ((tmp_path / name).glob("*.codes") for name in ("g", "other"))
    content = file.read_bytes()
    file.unlink()
    if damage == "a folder":
        file.mkdir()
    elif damage == "of others":
        shutil.copyfile(others, file)
    else:
        file.write_bytes(content[:-1000] if damage == "truncated" else b"")
    monkeypatch.setattr(code_scan, "nearest", None)  # codes are made anew, and not every vector compared
    assert keys(FolderEngine.open(str(tmp_path / "g")).search(queries, 10)) == exact(vectors, queries, 10)


def test_codes_of_tables_that_were_brought_back_are_not_used(tmp_path: Path) -> None:
    first, second = unit_vectors(COUNT, 64), unit_vectors(COUNT, 64, seed=2)
    engine = engine_with(tmp_path / "g", first[:KEPT])
    engine.flush()
    shutil.copyfile(tmp_path / "g" / "gallery.sqlite", tmp_path / "kept.sqlite")
    engine.add(rows(KEPT, COUNT), first[KEPT:])
    for file in (tmp_path / "g").glob("*.codes"):
        file.unlink()
    engine.flush()
    engine.close()
    shutil.copyfile(tmp_path / "kept.sqlite", tmp_path / "g" / "gallery.sqlite")
    (tmp_path / "g" / NAME).unlink()  # else it is told that these tables are from before
    engine = FolderEngine.open(str(tmp_path / "g"))
    engine.add(rows(KEPT, COUNT), second[KEPT:])
    engine.close()
    vectors = np.concatenate([first[:KEPT], second[KEPT:]])
    assert len(list((tmp_path / "g").glob(f"*.{COUNT}.*.codes"))) == 1
    found = FolderEngine.open(str(tmp_path / "g")).search(second[-20:], 1)
    assert keys(found) == exact(vectors, second[-20:], 1)


def test_check_makes_them_anew(tmp_path: Path) -> None:
    engine = engine_with(tmp_path / "g", unit_vectors(COUNT, 64))
    engine.flush()
    (file,) = (tmp_path / "g").glob("*.codes")
    content = file.read_bytes()
    file.write_bytes(content[:5000] + bytes([content[5000] ^ 255]) + content[5001:])
    assert engine.damaged() == []
    assert file.read_bytes() == content


def test_threads_search_while_rows_are_added(tmp_path: Path) -> None:
    vectors = unit_vectors(COUNT, 64)
    engine = engine_with(tmp_path / "g", vectors[:3000])
    wrong: list[object] = []
    is_done = threading.Event()

    def search() -> None:
        numbers = np.random.default_rng(threading.get_ident() % 1000)
        while not is_done.is_set():
            number = int(numbers.integers(0, 3000))
            try:
                (hit,) = engine.search(vectors[[number]], 1)[0]
            except Exception as error:
                wrong.append(error)
                return
            if hit[0] != key(number):
                wrong.append(hit)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(3000, COUNT, 100):
        engine.add(rows(start, start + 100), vectors[start : start + 100])
    is_done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_they_keep_every_promise_of_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_scan, "_FIRST", 4)
    monkeypatch.setattr(code_scan, "_LARGEST_PART", 1)
    numbers = count()
    check_engine(lambda: str(tmp_path / f"gallery {next(numbers)}"))
