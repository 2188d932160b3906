"""A folder's gallery whose tables or files somebody changed: it is told, and nothing is written elsewhere."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.engines import code_scan
from tipr_zoo.gallery.engines.folder import FolderEngine
from tipr_zoo.gallery.engines.last_writing import NAME
from tipr_zoo.testing.engine_rows import row_key, sample_rows, unit_vectors

COUNT = 40


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A gallery with `COUNT` rows."""
    engine = FolderEngine.create(str(tmp_path / "g"), "{}", 24)
    engine.add(sample_rows(COUNT), unit_vectors(COUNT))
    engine.flush()
    engine.close()
    return tmp_path / "g"


def change(place: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(place / "gallery.sqlite") as tables:
        tables.execute(statement, values)
    tables.close()


def told(call: Callable[[], object]) -> str:
    with pytest.raises(GalleryError) as raised:
        call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("name", ["../elsewhere", "/etc/passwd", "vectors.1.f32/..", "", "vectors.x.f32", 7, None])
def test_no_other_file_is_taken_for_the_vectors(place: Path, name: object) -> None:
    (place.parent / "elsewhere").write_bytes(b"x" * 100_000)
    change(place, "UPDATE about SET value=? WHERE name='vectors'", name)
    engine = FolderEngine.open(str(place))
    for call in (
        lambda: engine.search(unit_vectors(1), 3),
        lambda: engine.add(sample_rows(1, start=COUNT), unit_vectors(1)),
    ):
        assert "is damaged" in told(call)
    assert (place.parent / "elsewhere").read_bytes() == b"x" * 100_000


@pytest.mark.parametrize("entry", ["dimension", "end", "generation"])
@pytest.mark.parametrize("value", ["text", None, -1, 2.5])
def test_numbers_that_are_none(place: Path, entry: str, value: object) -> None:
    change(place, "UPDATE about SET value=? WHERE name=?", value, entry)
    assert "is damaged" in told(lambda: FolderEngine.open(str(place)).search(unit_vectors(1), 3))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rows SET slot=10000 WHERE slot=3",
        "UPDATE rows SET slot=-5 WHERE slot=3",
        "INSERT INTO holes VALUES (10000)",
        "UPDATE fact_values SET slot=slot+10000",
    ],
)
def test_slots_that_are_not_there(place: Path, statement: str) -> None:
    from tipr_zoo.protocols import Condition

    change(place, statement)
    engine = FolderEngine.open(str(place))
    fact = next(iter(sample_rows(2)[1].facts))

    def ask() -> None:
        engine.vectors([row.key for row in engine.rows()])
        engine.search(unit_vectors(1), COUNT)
        engine.search(unit_vectors(1), COUNT, [Condition(fact, "!=", "")])

    assert "is damaged" in told(ask)


@pytest.mark.parametrize("by_codes", [False, True])
def test_a_vector_that_is_no_number_hides_no_other(
    tmp_path: Path, by_codes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_codes:
        monkeypatch.setattr(code_scan, "EXACT_BYTES", 0)
    engine = FolderEngine.create(str(tmp_path / "g"), "{}", 24)
    engine.add(sample_rows(3000), unit_vectors(3000))
    expected = engine.search(unit_vectors(1), 6)[0]
    bad = int(next(number for number in range(3000) if row_key(number) == expected[2][0]))
    engine.close()
    with (tmp_path / "g" / "vectors.1.f32").open("r+b") as file:
        file.seek(bad * 24 * 4)
        file.write(np.full(24, np.nan, np.float32).tobytes())
    found = FolderEngine.open(str(tmp_path / "g")).search(unit_vectors(1), 5)[0]
    assert found == [hit for hit in expected if hit[0] != row_key(bad)]
    assert FolderEngine.open(str(tmp_path / "g")).damaged() == [row_key(bad)]


def test_a_folder_in_the_place_of_the_vectors(place: Path) -> None:
    (place / "vectors.1.f32").unlink()
    (place / "vectors.1.f32").mkdir()
    assert "is no file any more" in told(lambda: FolderEngine.open(str(place)).search(unit_vectors(1), 3))


def test_names_that_no_system_takes(tmp_path: Path) -> None:
    assert "name too long" in told(lambda: FolderEngine.open(str(tmp_path / ("x" * 300)))).lower()


@pytest.mark.skipif(not hasattr(os, "fork") or os.getuid() != 0, reason="only root can become another user")
def test_where_nothing_may_be_written_the_log_is_not_passed_over() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are for one user alone
        os.chmod(name, 0o755)
        _try_as_nobody(Path(name))


def _try_as_nobody(tmp_path: Path) -> None:
    process = os.fork()
    if process == 0:
        engine = FolderEngine.create(str(tmp_path / "g"), "{}", 24)
        engine.add(sample_rows(COUNT), unit_vectors(COUNT))
        os._exit(0)  # as a kill: the log is not folded
    os.waitpid(process, 0)
    place = tmp_path / "g"
    assert (place / "gallery.sqlite-wal").stat().st_size
    (place / "gallery.sqlite-shm").unlink()

    def as_nobody(expected: str) -> int:
        process = os.fork()
        if process == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            try:
                said = str(FolderEngine.open(str(place)).count())
            except GalleryError as error:
                said = str(error)
            os._exit(0 if expected in said else 1)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    assert as_nobody("is in gallery.sqlite-wal alone") == 0
    engine = FolderEngine.open(str(place))
    engine.flush()
    engine.close()
    assert as_nobody(str(COUNT)) == 0
    (place / "gallery.sqlite").chmod(0o600)
    assert as_nobody("may not be read; ask its owner") == 0


def test_a_log_that_was_removed_is_told(place: Path) -> None:
    writer = FolderEngine.open(str(place))
    writer.add(sample_rows(5, start=COUNT), unit_vectors(5))  # these rows are in the log alone
    for name in ("gallery.sqlite", "gallery.sqlite-shm"):
        shutil.copy(place / name, place.parent / name)
    writer.close()
    for name in ("gallery.sqlite", "gallery.sqlite-shm"):
        shutil.copy(place.parent / name, place / name)
    (place / "gallery.sqlite-wal").unlink(missing_ok=True)
    message = told(lambda: FolderEngine.open(str(place)))
    assert "lack what was written last" in message
    assert f"remove {place / NAME} and run gallery refresh" in message
    (place / NAME).unlink()  # as the message has it
    engine = FolderEngine.open(str(place))
    assert engine.count() == COUNT
    engine.add(sample_rows(5, start=COUNT), unit_vectors(5))
    assert FolderEngine.open(str(place)).count() == COUNT + 5


@pytest.mark.parametrize("content", [b"", b"x", b"9" * 5_000_000, b"-3"])
def test_a_note_of_the_last_writing_that_is_none_says_nothing(place: Path, content: bytes) -> None:
    (place / NAME).write_bytes(content)
    assert FolderEngine.open(str(place)).count() == COUNT
