"""Folders of pictures that change, vanish and mislead, and galleries that lie in odd places."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY_PRETRAINED
from small_disk import files_of_at_most

from tipr_zoo.command_line import main
from tipr_zoo.errors import DataError, GalleryError, WriteError
from tipr_zoo.gallery import folder_paths, updating
from tipr_zoo.gallery.gallery import Gallery
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings
from tipr_zoo.pictures import files

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


def test_pictures_behind_a_link_to_a_disk_that_is_not_there_stay(
    gallery: Gallery, people: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    (people / "cam2").rename(disk)
    (people / "cam2").symlink_to(disk)
    gallery.add(people)
    before = found(gallery)
    disk.rename(tmp_path / "unmounted")
    report = gallery.refresh()
    told = f"2 pictures below {people / 'cam2'}, a link to {disk}, where nothing is, stay in the gallery"
    assert report.removed == 0
    assert any(one.startswith(told) for one in report.problems())
    assert found(gallery) == before
    (people / "cam2").unlink()
    report = gallery.refresh()
    assert report.removed == 2
    assert f"no picture is left in {people / 'cam2'}; those that were there are removed" in report.problems()


@pytest.mark.parametrize("what_is_left", ["an empty folder", "no folder", "another picture"])
def test_pictures_of_a_disk_below_that_is_not_there_stay(
    gallery: Gallery, people: Path, monkeypatch: pytest.MonkeyPatch, what_is_left: str
) -> None:
    disk = people / "cam2"
    is_there = True
    monkeypatch.setattr(files, "is_other_disk", lambda folder: is_there and Path(folder) == disk)
    monkeypatch.setattr(folder_paths, "is_other_disk", lambda folder: is_there and Path(folder) == disk)
    gallery.add(people)
    before = found(gallery)
    is_there = False
    disk.rename(people.with_name("unmounted"))
    if what_is_left != "no folder":
        disk.mkdir()
    if what_is_left == "another picture":
        shutil.copy(next((people / "cam1").glob("*.jpg")), disk / "beneath.jpg")
    for _ in range(2):  # it is known the second time as well
        report = gallery.refresh()
        assert report.removed == 0
        assert any(f"2 pictures below {disk}, whose disk is not there, stay" in one for one in report.problems())
        assert before <= found(gallery)
    gallery.remove([disk])
    assert not any("stay" in one for one in gallery.refresh().problems())


def test_a_disk_that_is_mounted_below_is_noted(gallery: Gallery, people: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", people / "cam2"], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        shutil.copy(next((people / "cam1").glob("*.jpg")), people / "cam2" / "on_the_disk.jpg")
        gallery.add(people)
    finally:
        subprocess.run(["umount", people / "cam2"], check=True)
    report = gallery.refresh()
    assert report.removed == 0
    assert "whose disk is not there" in report.problems()[0]
    assert people / "cam2" / "on_the_disk.jpg" in found(gallery)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Path]]:
    """Folders that may not be read, also by root."""
    folders: set[Path] = set()
    scanned = os.scandir

    def scandir(path: str | int) -> Any:
        if isinstance(path, str) and Path(path) in folders:
            raise PermissionError(13, "Permission denied", str(path))
        return scanned(path)

    monkeypatch.setattr(os, "scandir", scandir)
    yield folders
    folders.clear()


def test_a_folder_below_that_may_not_be_read_is_told_of(gallery: Gallery, people: Path, closed: set[Path]) -> None:
    closed.add(people / "cam2")
    report = gallery.add(people)
    told = f"cannot read the folder {people / 'cam2'}: Permission denied; check its permissions"
    assert report.unread_folders == {people / "cam2": told}
    assert told in report.problems()
    assert report.line().endswith("1 folders that cannot be read")
    assert (report.embedded, len(gallery)) == (2, 2)
    closed.clear()
    assert gallery.refresh().embedded == 2
    closed.add(people / "cam2")
    report = gallery.refresh()
    assert (report.removed, len(gallery)) == (0, 4)
    assert any("which cannot be read now, stay" in one for one in report.problems())
    closed.add(people)
    with pytest.raises(DataError, match=f"cannot read the folder {people}: Permission denied"):
        gallery.refresh()


def test_a_refresh_brings_up_the_folders_that_are_there(
    gallery: Gallery, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery.add(people / "cam1")
    gallery.add(people / "cam2")
    (people / "cam1").rename(people / "aside")
    shutil.copy(next((people / "aside").glob("*.jpg")), people / "cam2" / "new.jpg")
    report = gallery.refresh()
    assert list(report.missing_folders) == [people / "cam1"]
    assert report.found == 3
    assert len(gallery) == 5
    assert main(["gallery", "refresh", gallery.address]) == 2
    told = capsys.readouterr()
    assert f"no folder at {people / 'cam1'}; check the path" in told.err
    assert "3 unchanged" in told.out
    (people / "cam2").rename(people / "aside2")
    with pytest.raises(DataError, match=r"cam1.*; .*cam2"):
        gallery.refresh()


def test_a_refresh_embeds_the_parts_that_were_added(gallery: Gallery, people: Path, tmp_path: Path) -> None:
    first = gallery.add(people, part=(1, 2)).embedded
    report = gallery.refresh()
    assert (report.embedded, len(gallery)) == (0, first)
    if first < 4:
        assert f"holds the parts 1/2 of {people}: {4 - first}" in report.problems()[0]
    with Gallery.create(tmp_path / "second.gallery", TINY_PRETRAINED) as second:
        second.add(people, part=(2, 2))
        with second.copy(gallery.address):
            pass
    assert len(gallery) == 4
    gallery.close()
    with Gallery.open(gallery.address) as whole:
        assert whole.header.folders[0].parts == ()
        (people / "cam1" / "new.jpg").write_bytes((next((people / "cam2").glob("*.jpg"))).read_bytes() + b"x")
        assert whole.refresh().found == 5


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
