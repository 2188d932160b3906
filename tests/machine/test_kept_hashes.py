"""Hashes that are kept by size and time."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.machine import kept_hashes as module
from tipr_zoo.machine.kept_hashes import kept_hashes


@pytest.fixture(autouse=True)
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The names of the files that are read, with an empty cache folder."""
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))
    names: list[str] = []

    def file_sha256(path: Path) -> str:
        names.append(path.name)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(module, "file_sha256", file_sha256)
    monkeypatch.setattr(module, "SETTLED_AFTER", 0.0)
    return names


def test_a_file_that_has_just_changed_or_is_of_the_future_is_read_again(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    os.utime(tmp_path / "b", (time.time() + 3600,) * 2)  # the clock was set back
    files = [tmp_path / "a", tmp_path / "b"]
    assert kept_hashes(files, "x") == kept_hashes(files, "x")
    assert sorted(read) == ["a", "b", "b"]
    monkeypatch.setattr(module, "SETTLED_AFTER", 3600.0)
    read.clear()
    assert kept_hashes([tmp_path / "c"], "y") == kept_hashes([tmp_path / "c"], "y")
    assert read == ["c", "c"]


def test_a_file_is_read_once_and_again_where_it_changed(tmp_path: Path, read: list[str]) -> None:
    files = [tmp_path / "a", tmp_path / "b", tmp_path / "missing"]
    for file in files[:2]:
        file.write_text(file.name)
    expected = [hashlib.sha256(name.encode()).hexdigest() for name in "ab"]
    assert kept_hashes(files, "x") == kept_hashes(files, "x") == [*expected, ""]
    assert sorted(read) == ["a", "b"]
    files[1].write_text("c")
    assert kept_hashes(files, "x")[1] == hashlib.sha256(b"c").hexdigest()
    assert sorted(read) == ["a", "b", "b"]


def test_an_edited_cache_is_not_believed(tmp_path: Path, read: list[str]) -> None:
    (tmp_path / "a").write_text("a")
    first = kept_hashes([tmp_path / "a"], "x")
    (kept,) = (cache_folder() / "hashes").iterdir()
    kept.write_text(kept.read_text().replace(first[0], "0" * 64))
    assert kept_hashes([tmp_path / "a"], "x") == first
    assert read == ["a", "a"]


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path, read: list[str]) -> None:
    (tmp_path / "home").write_text("a file")
    (tmp_path / "a").write_text("a")
    assert kept_hashes([tmp_path / "a"], "x") == kept_hashes([tmp_path / "a"], "x")
