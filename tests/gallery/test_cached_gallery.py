"""The gallery that the cache keeps of a folder is used only where its pictures were prepared as they are now."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tipr_zoo.gallery.address import engine_of
from tipr_zoo.gallery.cached_gallery import cached_gallery
from tipr_zoo.gallery.header import read_header
from tipr_zoo.version import __version__

TINY_PRETRAINED = "a_tiny_pretrained_model"

pytestmark = pytest.mark.usefixtures("tiny_zoo", "own_cache")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "cache"))


@pytest.fixture
def settled(people: Path) -> Path:
    """The people, once their files are no news any more: a change of a new file may not change its times."""
    time.sleep(2.1)
    return people


def embedded(folder: Path) -> int:
    cached = cached_gallery(TINY_PRETRAINED, folder)
    with cached.gallery:
        assert len(cached.gallery) == cached.report.found
    return cached.report.embedded


def change_header(folder: Path, **changes: str) -> str:
    """Write something else into the header of the folder's gallery; return its address."""
    with cached_gallery(TINY_PRETRAINED, folder).gallery as gallery:
        address = gallery.address
    engine = engine_of(address).open(address)
    engine.set_header(replace(read_header(engine.header, address), **changes).text())
    engine.close()
    return address


def made_by(address: str) -> str:
    engine = engine_of(address).open(address)
    try:
        return read_header(engine.header, address).made_by
    finally:
        engine.close()


def test_what_is_known_is_not_embedded_again(settled: Path) -> None:
    assert (embedded(settled), embedded(settled)) == (4, 0)


def test_of_another_version_it_is_kept_where_pictures_are_prepared_alike(settled: Path) -> None:
    address = change_header(settled, made_by="0.0.1")
    assert embedded(settled) == 0
    assert made_by(address) == __version__


def test_of_another_version_with_another_preprocessing_it_is_made_anew(settled: Path) -> None:
    change_header(settled, made_by="0.0.1", preprocessing_sha256="0" * 64)
    assert embedded(settled) == 4


def test_a_new_picture_is_not_put_beside_those_of_another_preprocessing(settled: Path) -> None:
    change_header(settled, preprocessing_sha256="0" * 64)
    picture = next(settled.rglob("*.jpg"))
    (settled / "more.jpg").write_bytes(picture.read_bytes() + b"0")
    assert embedded(settled) == 5
