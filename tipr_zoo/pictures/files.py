"""Picture files: the search for them in a folder, and one of them as 8-bit RGB."""

from __future__ import annotations

import io
import os
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from tipr_zoo.errors import DataError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
"""File name endings, in lower case, that make a file a picture."""

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"RIFF", b"II*\x00", b"MM\x00*")


def open_picture(path: str | os.PathLike[str]) -> Image.Image:
    """Read one picture as 8-bit RGB, upright.

    Grey, palette and CMYK pictures are converted. Transparent ones are laid over white. 16-bit grey is scaled to 8 bits
    (65,535 becomes 255). The orientation that a camera wrote is applied. Of an animation, the first frame is read.

    Args:
        path: The file.

    Returns:
        The decoded picture in mode ``RGB``. The file is closed.

    Raises:
        DataError: The file is missing, empty, not a picture, truncated or damaged, or far too large. Or its pixels are
            of a type without a stated range (32-bit). A truncated picture is never filled up with grey.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"no picture at {path}; check the path, or copy the picture there") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not a picture; name a file in it") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; check its permissions and the disk") from error
    return _decode(content, path)


def list_pictures(folder: str | os.PathLike[str]) -> list[Path]:
    """List every picture in a folder and in the folders below it.

    A picture is known by the ending of its file name (`PICTURE_SUFFIXES`, in any case). Links to folders are followed,
    each folder once.

    Args:
        folder: The folder to search.

    Returns:
        Paths that begin with `folder`, sorted as text.

    Raises:
        DataError: The folder is missing, is a file, cannot be read, or holds no picture.
    """
    folder = Path(folder)
    if not folder.exists():
        raise DataError(f"no folder at {folder}; check the path")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file, not a folder; name the folder that holds the pictures")
    pictures: list[str] = []
    visited: set[str] = set()
    for parent, subfolders, files in os.walk(folder, onerror=_raise_unreadable_folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in visited:
            subfolders.clear()
            continue
        visited.add(place)
        pictures += [
            os.path.join(parent, name) for name in files if os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES
        ]
    if not pictures:
        endings = ", ".join(sorted(PICTURE_SUFFIXES))
        raise DataError(f"no picture in {folder} or the folders below it; put files there that end in {endings}")
    return [Path(picture) for picture in sorted(pictures)]


def _raise_unreadable_folder(error: OSError) -> None:
    raise DataError(f"cannot read the folder {error.filename}: {error.strerror}; check its permissions") from error


def _decode(content: bytes, path: Path) -> Image.Image:
    if not content:
        raise DataError(f"{path} is empty (0 bytes); copy the picture again, or remove the file")
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            ImageOps.exif_transpose(picture, in_place=True)
            return to_rgb(picture, path)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{path} has too many pixels to be a picture of a person ({error}); scale it down") from error
    except UnidentifiedImageError as error:
        if not content.startswith(_SIGNATURES):
            raise DataError(f"{path} is not a picture; replace it by one, or remove the file") from error
        raise _damaged(path, "its header cannot be read") from error
    except Exception as error:  # on damaged bytes, decoders raise anything: OSError, SyntaxError, struct.error, ...
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, reason: str) -> DataError:
    reason = " ".join(reason.split())
    return DataError(f"{path} is truncated or damaged ({reason}); copy the picture again, or remove the file")


def to_rgb(picture: Image.Image, name: str | os.PathLike[str]) -> Image.Image:
    """Convert a decoded picture to 8-bit RGB.

    Transparency is laid over white. 16-bit grey is scaled to 8 bits.

    Args:
        picture: A picture in any mode.
        name: What an error message calls it.

    Returns:
        A new picture. If `picture` is opaque 8-bit RGB already, it is returned itself.

    Raises:
        DataError: The pixels are of a type without a stated range (32-bit).
    """
    # Older Pillows open a 16-bit grey PNG in mode I.
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
        # Pillow's own conversion clips at 255 instead of scaling.
        wide = picture if picture.mode == "I" else picture.convert("I")
        return wide.point(lambda value: value * (255 / 65535) + 0.5).convert("L").convert("RGB")
    if picture.mode in ("I", "F"):
        raise DataError(f"{name} has 32-bit pixels, whose range is not stated; save it with 8 bits a channel")
    if picture.has_transparency_data:
        opaque = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(opaque, picture.convert("RGBA")).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")
