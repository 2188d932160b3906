"""Pictures as people and attackers have them: pixels are read where they are whole, anything else is one line."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from hostile_pictures import encoded, in_jpeg, pattern, refused, segment, turned_with_wrong_resolution, whole
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tipr_zoo.errors import DataError
from tipr_zoo.pictures import formats
from tipr_zoo.pictures.files import find_pictures, list_pictures, open_picture

WHOLE, REFUSED = whole(), refused()


@pytest.mark.parametrize("name", WHOLE)
def test_whole_pixels_are_read_upright_whatever_is_written_beside_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / "any.jpg"  # the content decides
    path.write_bytes(WHOLE[name])
    expected = pattern().transpose(Image.Transpose.ROTATE_270) if name.startswith("turned") else pattern()
    opened = open_picture(path)
    assert (opened.mode, opened.size) == ("RGB", expected.size)
    assert np.abs(np.asarray(opened, dtype=int) - np.asarray(expected, dtype=int)).mean() < 6


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_to_be_read_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "any.jpg"
    content, reason = REFUSED[name]
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_picture(path)
    assert str(caught.value).startswith(str(path))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_postscript_starts_no_program_and_loads_no_decoder(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(REFUSED["postscript"][0])
    (tmp_path / "b.jpg").write_bytes(WHOLE["webp"])
    code = (
        "import sys; from tipr_zoo.pictures.files import open_picture; from tipr_zoo.errors import DataError\n"
        "open_picture(sys.argv[2])\n"
        "try: open_picture(sys.argv[1])\n"
        "except DataError: print('PIL.EpsImagePlugin' in sys.modules)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.slow
def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(REFUSED["a bomb"][0])
    code = (
        "import resource, sys\n"
        "from tipr_zoo.pictures.files import open_picture; from tipr_zoo.errors import DataError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: open_picture(sys.argv[1])\n"
        "except DataError: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.png"], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000  # KiB; the pixels have 165,000 as grey ones


def test_special_files_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "nowhere.jpg").symlink_to("nothing")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(1 << 40)
    reasons = {
        "pipe": "is not a picture (it is a named pipe, and only regular files are read)",
        "device": "is not a picture (it is a device",
        "nowhere": "is a link to nothing, where nothing is",
        "loop": "is a link that leads in a circle",
        "large": "is not a picture (it has 1,099,511,627,776 bytes",
    }
    assert len(list_pictures(tmp_path)) == len(reasons)  # so that each is named where it is opened
    for name, reason in reasons.items():
        with pytest.raises(DataError) as caught:
            open_picture(tmp_path / f"{name}.jpg")
        assert reason in str(caught.value)


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied(kind: str, orientation: int, tmp_path: Path) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "a").write_bytes(encoded(kind, exif=exif))
    with Image.open(tmp_path / "a") as picture:
        expected = ImageOps.exif_transpose(picture).convert("RGB")
    assert open_picture(tmp_path / "a").tobytes() == expected.tobytes()


def test_warnings_and_lost_metadata_carry_the_name_of_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "one.jpg").write_bytes(WHOLE["jpeg"])
    (tmp_path / "two.jpg").write_bytes(WHOLE["jpeg with a wrong resolution"])
    (tmp_path / "three.png").write_bytes(WHOLE["png with a comment of 2 MB"])
    caplog.set_level(logging.WARNING, "tipr_zoo")
    for name in ("one.jpg", "two.jpg", "three.png", "two.jpg"):
        open_picture(tmp_path / name)
    said = caplog.messages
    assert len(said) == 3
    assert said[0] == said[2]
    assert said[0].startswith(f"{tmp_path / 'two.jpg'}: Corrupt EXIF data.")
    assert said[1].startswith(f"{tmp_path / 'three.png'}: its metadata cannot be read")
    assert not recwarn.list


def test_threads_leave_the_warnings_of_others_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(WHOLE["jpeg with a wrong resolution"])
    before = (list(warnings.filters), warnings.showwarning)
    threads = [threading.Thread(target=lambda: [open_picture(tmp_path / "a.jpg") for _ in range(30)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (list(warnings.filters), warnings.showwarning) == before


class TestFoundPictures:
    def test_no_picture_is_passed_over(self, tmp_path: Path) -> None:
        """What can be decoded is found under any ending, and what cannot is counted and named."""
        for name in ("a.jpg", "b.JFIF", "c.jpe", "d.mpo", "e.avif", "f.jp2", "g.dib", "h.apng"):
            (tmp_path / name).touch()
        for name in ("no_ending", "i.jpg_large", "j.JPG.1"):
            (tmp_path / name).write_bytes(WHOLE["jpeg"])
        for name in ("k.jxl", "l.PSD", "m.jxl"):
            (tmp_path / name).touch()
        for name in ("notes.txt", "reid_raw.json", "x.dat", ".hidden"):
            (tmp_path / name).write_bytes(b"BM is how this text begins, which makes no picture of it")
        found = find_pictures(tmp_path)
        assert {path.name for path in found.readable} == {
            *("a.jpg", "b.JFIF", "c.jpe", "d.mpo", "e.avif", "f.jp2", "g.dib", "h.apng"),
            *("no_ending", "i.jpg_large", "j.JPG.1"),
        }
        assert found.readable == sorted(found.readable)
        assert [path.name for path in found.left_out] == ["k.jxl", "l.PSD", "m.jxl"]
        names = ", ".join(str(tmp_path / name) for name in ("k.jxl", "l.PSD", "m.jxl"))
        assert found.told() == (
            "3 pictures are left out, in formats that cannot be decoded here: 2 .jxl (save as JPEG or PNG),"
            f" 1 .psd (save as JPEG or PNG); {names}"
        )

    def test_many_names_are_cut_and_the_number_is_not(self, tmp_path: Path) -> None:
        for number in range(30):
            (tmp_path / f"{number}.jxl").touch()
        with pytest.raises(DataError, match=r"no picture in .*30 pictures are left out.* and 10 more\); put files"):
            list_pictures(tmp_path)

    def test_a_pipe_of_any_name_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "a.jpg").touch()
        assert find_pictures(tmp_path).readable == [tmp_path / "a.jpg"]


class TestHeic:
    def test_is_decoded_where_the_decoder_is_installed(self, tmp_path: Path) -> None:
        pillow_heif = pytest.importorskip("pillow_heif")
        buffer = io.BytesIO()
        pillow_heif.from_pillow(pattern().resize((64, 96))).save(buffer, quality=95)
        (tmp_path / "a.heic").write_bytes(buffer.getvalue())
        assert find_pictures(tmp_path).readable == [tmp_path / "a.heic"]
        assert open_picture(tmp_path / "a.heic").size == (64, 96)

    def test_is_named_with_the_fix_where_it_is_not(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
        (tmp_path / "b.jpg").touch()
        monkeypatch.setattr(formats, "find_spec", lambda name: None)
        formats.missing_for.cache_clear()
        formats.readable_suffixes.cache_clear()
        try:
            assert "1 picture is left out" in find_pictures(tmp_path).told()
            assert "1 .heic (pip install pillow-heif)" in find_pictures(tmp_path).told()
            with pytest.raises(DataError, match=r"a\.heic is a picture in HEIF.*pip install pillow-heif"):
                open_picture(tmp_path / "a.heic")
        finally:
            formats.missing_for.cache_clear()
            formats.readable_suffixes.cache_clear()


CORPUS = [*WHOLE.values(), *(content for name, (content, _) in REFUSED.items() if "bomb" not in name)]
SMALL = [content for content in CORPUS if len(content) < 50_000]


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.sampled_from(SMALL),
    changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(max_size=6), st.integers(0, 8)), max_size=4),
    cut=st.integers(0, 1 << 16),
)
@example(content=in_jpeg(segment(0xE1, turned_with_wrong_resolution())), changes=[(30, b"\xff\xff", 2)], cut=0)
def test_changed_bytes_are_a_picture_or_one_line(
    content: bytes, changes: list[tuple[int, bytes, int]], cut: int, tmp_path: Path
) -> None:
    changed = bytearray(content)
    for place, inserted, dropped in changes:
        place %= len(changed) + 1
        changed[place : place + dropped] = inserted
    if cut % 3 == 0:
        del changed[cut % (len(changed) + 1) :]
    path = tmp_path / "fuzzed.jpg"
    path.write_bytes(changed)
    said = ""
    try:
        assert open_picture(path).mode == "RGB"
    except DataError as error:
        said = str(error)
    assert said == "" or said.startswith(str(path))
    assert "\n" not in said
