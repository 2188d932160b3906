"""Folders of pictures that change, vanish and mislead, and galleries that lie in odd places."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_disk import files_of_at_most

from tipr_zoo.command_line import main
from tipr_zoo.errors import DataError, GalleryError, WriteError
from tipr_zoo.gallery import updating
from tipr_zoo.gallery.gallery import Gallery
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings

TEXT = "a man in a red jacket and blue jeans"


def found(gallery: Gallery) -> set[Path]:
    return {hit.picture for hit in gallery.search(TEXT, top=100)}


def test_a_copy_of_what_is_no_picture_is_named_itself(gallery: Gallery, people: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        (people / name).write_bytes(b"no picture")
    report = gallery.add(people)
    assert set(report.unreadable) == {people / "one.jpg", people / "two.jpg"}
    for path, told in report.unreadable.items():
        assert told.startswith(str(path))


@pytest.mark.parametrize("what", ["missing", "empty", "a file", "a dead link"])
def test_a_disk_that_is_not_there_removes_nothing(gallery: Gallery, people: Path, what: str) -> None:
    gallery.add(people)
    people.rename(people.with_name("aside"))
    if what == "empty":
        people.mkdir()
    elif what == "a file":
        people.touch()
    elif what == "a dead link":
        people.symlink_to("nowhere")
    remedy = f"No picture of that folder was removed.*: tipr-zoo gallery remove {gallery.address} {people}"
    with pytest.raises(DataError, match=remedy):
        gallery.refresh()
    assert len(gallery) == 4
    assert gallery.remove([people]) == 4  # as the message has it
    assert gallery.header.folders == ()


def test_a_linked_disk_that_is_not_there_removes_nothing(gallery: Gallery, people: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (people / "cam2").rename(disk)
    (people / "cam2").symlink_to(disk)
    gallery.add(people)
    before = found(gallery)
    disk.rename(tmp_path / "unmounted")
    with pytest.raises(DataError, match=f"{people / 'cam2'} is a link to {disk}, where nothing is; no picture was"):
        gallery.refresh()
    assert found(gallery) == before
    (people / "cam2").unlink()
    assert gallery.refresh().removed == 2


def test_a_new_link_moves_no_picture(gallery: Gallery, people: Path) -> None:
    gallery.add(people)
    (people / "a_link_before_cam1").symlink_to(people / "cam1")
    (people / "cam1" / "circle").symlink_to(people)
    report = gallery.refresh()
    assert (report.found, report.copies, report.removed) == (4, 0, 0)


def test_pictures_that_go_and_change_while_they_are_added(
    gallery: Gallery, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = sorted(people.rglob("*.jpg"))
    embedded = updating.embedded_batches

    def after_a_change(*given: Any) -> Iterator[Any]:
        first.unlink()
        shutil.copy(people / "cam2" / "0001_3.jpg", second)
        return embedded(*given)

    with monkeypatch.context() as patched:
        patched.setattr(updating, "embedded_batches", after_a_change)
        report = gallery.add(people)
    assert set(report.unreadable) == {first}
    assert report.remarks == [f"{second} was changed while it was read; run gallery refresh once more"]
    assert gallery.check().is_sound
    gallery.refresh()
    assert gallery.check().is_sound
    assert len({hit.score for hit in gallery.search(TEXT)}) == 2


def test_a_full_disk_costs_the_batch_at_hand(gallery: Gallery, people: Path) -> None:
    settings = EmbeddingSettings(batch_size=1, workers=0)
    gallery.search(TEXT)  # the model is loaded, and SQLite has what a reader needs
    with pytest.raises(WriteError), files_of_at_most(3 * gallery.header.dimension * 4 - 1):
        gallery.add(people, settings=settings)
    assert gallery.check().is_sound
    kept = found(gallery)
    report = gallery.add(people, settings=settings)
    assert (report.embedded, report.unchanged) == (4 - len(kept), len(kept))
    assert gallery.check().is_sound


@pytest.mark.parametrize("spelling", ["relative", "dots", "link"])
def test_a_gallery_is_not_copied_into_itself_by_another_name(
    gallery: Gallery, people: Path, tmp_path: Path, spelling: str
) -> None:
    gallery.add(people)
    place = Path(gallery.address)
    (tmp_path / "link").symlink_to(place)
    others = {"relative": os.path.relpath(place), "dots": people / ".." / place.name, "link": tmp_path / "link"}
    with pytest.raises(GalleryError, match="cannot be copied into itself"):
        gallery.copy(others[spelling])


def test_a_copied_and_a_moved_gallery_are_whole(gallery: Gallery, people: Path, tmp_path: Path) -> None:
    gallery.add(people)
    before = gallery.search(TEXT)
    gallery.close()
    shutil.copytree(gallery.address, tmp_path / "copied")
    Path(gallery.address).rename(tmp_path / "moved")
    for name in ("copied", "moved"):
        with Gallery.open(tmp_path / name) as other:
            assert other.search(TEXT) == before
            assert other.refresh().unchanged == 4


def test_what_a_command_says_of_odd_names_is_a_line_each(
    gallery: Gallery, people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = people / "new\nline.jpg"
    (people / "cam1" / "0000_0.jpg").rename(odd)
    (people / "bad\n\udce9.jpg").write_bytes(b"no picture")
    place = tmp_path / "odd\ng"
    Path(gallery.address).rename(place)
    assert main(["gallery", "add", str(place), str(people)]) == 0
    told = capsys.readouterr()
    assert (len(told.out.splitlines()), len(told.err.splitlines())) == (1, 1)
    odd.unlink()
    assert main(["gallery", "check", str(place)]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_damaged_vector_is_named_before_it_is_copied(gallery: Gallery, people: Path, tmp_path: Path) -> None:
    gallery.add(people)
    gallery.close()
    (file,) = Path(gallery.address).glob("vectors.*")
    content = bytearray(file.read_bytes())
    content[-4:] = b"\xff\xff\xff\x7f"  # not a number
    file.write_bytes(content)
    with Gallery.open(gallery.address) as damaged:
        (picture,) = damaged.check().damaged
        with pytest.raises(GalleryError, match=f"the vector of {picture} is damaged.*gallery check names all"):
            damaged.copy(tmp_path / "copy")
        shutil.copy(picture, people / "copy.jpg")
        with pytest.raises(GalleryError, match=f"the vector of {picture} is damaged"):
            damaged.add(people)
        damaged.remove([picture])
        assert damaged.add(people).embedded == 1
        assert damaged.check().is_sound
