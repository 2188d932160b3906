"""Folders of any shape: deep ones, links, and paths that are too long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from tipr_zoo.errors import DataError
from tipr_zoo.pictures.files import find_pictures, list_pictures, open_picture


def draw(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 8), "red").save(path)
    return path


@pytest.mark.parametrize("link", ["a_link", "z_link"])
def test_a_folder_keeps_its_own_name_beside_links_to_it(tmp_path: Path, link: str) -> None:
    own = draw(tmp_path / "all" / "m" / "deep" / "a.png")
    other = draw(tmp_path / "elsewhere" / "b.png").parent
    for place in ("all", "all/c", "all/z"):
        (tmp_path / place).mkdir(exist_ok=True)
        os.symlink(own.parent.parent, tmp_path / place / link)  # a link to what lies in the folder anyway
        os.symlink(other, tmp_path / place / "other")  # several to what lies outside
    os.symlink(tmp_path, tmp_path / "all" / "up")  # which holds all of it once more
    assert list_pictures(tmp_path / "all") == [own, tmp_path / "all" / "other" / "b.png"]


def test_links_in_circles_are_named_for_what_they_are(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    os.symlink("circle.png", tmp_path / "circle.png")
    os.symlink("other", tmp_path / "one")
    os.symlink("one", tmp_path / "other")
    assert find_pictures(tmp_path).readable == [tmp_path / "a.png", tmp_path / "circle.png"]
    with pytest.raises(DataError, match="leads in a circle; mend or remove it"):
        open_picture(tmp_path / "circle.png")


def test_folders_are_deeper_than_calls(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    deep = tmp_path / "/".join(["d"] * 1100)
    os.makedirs(tmp_path / "/".join(["d"] * 550))  # which calls itself for each
    os.makedirs(deep)
    try:
        draw(deep / "b.png")
        assert list_pictures(tmp_path) == [tmp_path / "a.png", deep / "b.png"]
    finally:
        (deep / "b.png").unlink()
        os.removedirs(deep)  # what removes the rest calls itself for each


def test_a_path_that_is_too_long_is_told_in_short(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tmp_path)
        for _ in range(30):
            os.mkdir("x" * 200)
            os.chdir("x" * 200)
    finally:
        os.fchdir(before)
        os.close(before)
    found = find_pictures(tmp_path)
    assert found.readable == [tmp_path / "a.png"]
    assert "too long to be read, with 4," in found.told()
    assert len(found.told()) < 250
    with pytest.raises(DataError, match="too long to be read, with 4,"):
        list_pictures(tmp_path)
    with pytest.raises(DataError, match="too long to be read, with"):
        find_pictures(tmp_path / ("y" * 300))
