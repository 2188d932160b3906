"""Every kind of picture opens as upright 8-bit RGB, or is refused with a message that says what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from tipr_zoo.errors import DataError
from tipr_zoo.pictures.files import list_pictures, open_picture

SIZE = (6, 9)


def saved(picture: Image.Image, path: Path, **options: object) -> Path:
    picture.save(path, **options)
    return path


def grey_16_bit(value: int) -> Image.Image:
    return Image.frombytes("I;16", SIZE, value.to_bytes(2, "little") * (SIZE[0] * SIZE[1]))


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.gif", "A.PNG"])
@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("RGB", SIZE, (200, 40, 10)), (200, 40, 10)),
        (Image.new("L", SIZE, 77), (77, 77, 77)),
        (Image.new("1", SIZE, 1), (255, 255, 255)),
        (Image.new("RGB", SIZE, (200, 40, 10)).convert("P", palette=Image.Palette.ADAPTIVE), (200, 40, 10)),
    ],
    ids=["rgb", "grey", "bilevel", "palette"],
)
def test_opaque_pictures_keep_their_colour(tmp_path: Path, name: str, picture: Image.Image, expected: tuple) -> None:
    opened = open_picture(saved(picture, tmp_path / name))
    assert (opened.mode, opened.size) == ("RGB", SIZE)
    assert opened.getpixel((3, 4)) == expected


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    path = saved(Image.new("CMYK", SIZE, (0, 255, 255, 0)), tmp_path / "red.jpg", quality=100)
    red, green, blue = open_picture(path).getpixel((3, 4))
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (256, 1), (0x8000, 128), (0xC000, 191), (65535, 255)])
@pytest.mark.parametrize("name", ["grey.png", "grey.tif"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, name: str, value: int, expected: int) -> None:
    assert open_picture(saved(grey_16_bit(value), tmp_path / name)).getpixel((3, 4)) == (expected,) * 3


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("RGBA", SIZE, (0, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", SIZE, (0, 0, 0, 255)), (0, 0, 0)),
        (Image.new("RGBA", SIZE, (255, 0, 0, 51)), (255, 204, 204)),
        (Image.new("LA", SIZE, (0, 102)), (153, 153, 153)),
    ],
    ids=["transparent", "opaque", "a fifth red", "grey with alpha"],
)
def test_transparent_pictures_are_laid_over_white(tmp_path: Path, picture: Image.Image, expected: tuple) -> None:
    assert open_picture(saved(picture, tmp_path / "alpha.png")).getpixel((3, 4)) == expected


def test_a_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    picture = Image.new("P", SIZE, 0)
    picture.putpalette([10, 20, 30])
    assert open_picture(saved(picture, tmp_path / "p.png", transparency=0)).getpixel((3, 4)) == (255, 255, 255)


def test_the_orientation_of_the_camera_is_applied(tmp_path: Path) -> None:
    picture = Image.new("RGB", (4, 8), "white")
    picture.paste("red", (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    opened = open_picture(saved(picture, tmp_path / "turned.png", exif=exif))
    assert opened.getpixel((1, 1)) == (255, 255, 255)
    assert opened.getpixel((1, 7)) == (255, 0, 0)
    exif[0x0112] = 6  # lying on its side
    assert open_picture(saved(picture, tmp_path / "side.jpg", exif=exif)).size == (8, 4)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed by Linux alone")
def test_the_file_is_closed_again(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", SIZE), tmp_path / "a.jpg")
    opened = open_picture(path)
    still_open = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    assert opened.size == SIZE
    assert str(path) not in still_open


@pytest.mark.parametrize(
    ("content", "reason", "fix"),
    [
        (b"", "is empty (0 bytes)", "copy the picture again"),
        (b"a man in a red jacket", "is not a picture", "replace it"),
        (b"\xff\xd8\xff\xe0", "is truncated or damaged", "copy the picture again"),
        (b"\x89PNG\r\n\x1a\n", "is truncated or damaged", "copy the picture again"),
    ],
    ids=["zero bytes", "text", "jpeg without a body", "png without a body"],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes, reason: str, fix: str) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_picture(path)
    assert str(caught.value).startswith(f"{path} {reason}")
    assert fix in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".gif", ".webp", ".tif"])
def test_a_truncated_picture_is_refused(tmp_path: Path, suffix: str) -> None:
    noise = Image.effect_noise((64, 128), 80).convert("RGB")
    path = saved(noise, tmp_path / f"whole{suffix}")
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="is truncated or damaged") as caught:
        open_picture(cut)
    assert str(cut) in str(caught.value)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_missing_picture_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no picture at .*nobody\.jpg; check the path"):
        open_picture(tmp_path / "nobody.jpg")
    with pytest.raises(DataError, match="is a folder, not a picture"):
        open_picture(tmp_path)


def test_pixels_without_a_stated_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"32-bit pixels.*save it with 8 bits"):
        open_picture(saved(Image.new("F", SIZE, 0.5), tmp_path / "float.tif"))


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(Image.new("L", (64, 64)), tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"huge\.png has too many pixels.*scale it down"):
        open_picture(path)


def test_pictures_are_listed_sorted_and_recursively(tmp_path: Path) -> None:
    names = ["b.JPG", "a.png", "deep/er/c.tiff", "deep/d.webp"]
    for name in [*names, "notes.txt", "deep/reid_raw.json"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list_pictures(tmp_path) == [tmp_path / name for name in sorted(names)]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "gallery").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jpg").touch()
    for link, target in [("linked", "elsewhere"), ("again", "elsewhere"), ("loop", "gallery")]:
        (tmp_path / "gallery" / link).symlink_to(tmp_path / target, target_is_directory=True)
    assert len(list_pictures(tmp_path / "gallery")) == 1


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no picture in .* put files there that end in \.bmp"):
        list_pictures(tmp_path)
    with pytest.raises(DataError, match=r"no folder at .*nowhere; check the path"):
        list_pictures(tmp_path / "nowhere")
    (tmp_path / "a.jpg").touch()
    with pytest.raises(DataError, match=r"a\.jpg is a file, not a folder"):
        list_pictures(tmp_path / "a.jpg")
