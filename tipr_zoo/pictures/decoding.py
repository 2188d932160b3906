"""Decoding: from the bytes of a picture file to 8-bit RGB, by the decoder of the format that the bytes begin with.

Only pixels are taken. Of the metadata the orientation is read, and metadata that is damaged costs no picture.
"""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

from tipr_zoo.errors import DataError
from tipr_zoo.pictures.formats import PictureFormat, format_of, missing_for, other_format_of
from tipr_zoo.pictures.metadata import without_metadata
from tipr_zoo.terminal.log import logger

MOST_PIXELS = 1 << 26
"""Pixels of a picture, some 67 million. A camera's largest pictures have 50 million, and decoding takes 4 to 16 bytes
for each."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by EXIF's orientation."""

_TILE_WIDTH, _TILE_LENGTH = 322, 323  # tags of TIFF

_EVERY_WARNING: list[Any] = [("always", None, Warning, None, 0)]

_NO_WARNING: list[Any] = [("ignore", None, Warning, None, 0)]

_ONE_AT_A_TIME = threading.RLock()
"""Python keeps one list of what to do with warnings for all threads."""

if hasattr(os, "register_at_fork"):  # a forked process must not wait for a thread that it does not have
    os.register_at_fork(
        before=_ONE_AT_A_TIME.acquire,
        after_in_parent=_ONE_AT_A_TIME.release,
        after_in_child=_ONE_AT_A_TIME.release,
    )


def decode_picture(content: bytes, path: Path) -> Image.Image:
    """Decode the bytes of a picture file to 8-bit RGB, upright.

    Args:
        content: All bytes of the file.
        path: The file, for messages.

    Returns:
        The decoded picture in mode ``RGB``.

    Raises:
        DataError: It is empty, not a picture, in another format, truncated, damaged or far too large. Or its pixels are
            of a type without a stated range (32-bit).
    """
    if not content:
        raise DataError(f"{path} is empty (0 bytes); copy the picture again, or remove the file")
    kind = format_of(content[:64])
    if kind is None:
        if (other := other_format_of(content[:64])) is not None:
            raise DataError(f"{path} is a picture in {other}, which is not read here; save it as JPEG or PNG")
        raise DataError(f"{path} is not a picture; replace it by one, or remove the file")
    if (missing := missing_for(kind)) is not None:
        raise DataError(
            f"{path} is a picture in {kind.name}, which cannot be decoded here; {missing}, or save it as JPEG"
        )
    with _named_warnings(path):
        try:
            return _upright(content, kind, path)
        except DataError:
            raise
        except MemoryError as error:
            raise DataError(f"{path} does not fit into the memory; scale it down") from error
        except Image.DecompressionBombError as error:
            raise _too_large(path, str(error)) from error
        except Exception as error:  # on damaged bytes, decoders raise anything: OSError, SyntaxError, struct.error, ...
            for plain in without_metadata(content, kind):
                try:
                    picture = _upright(plain, kind, path)
                except Exception:  # then the orientation cannot be read, or the pixels are damaged, too
                    continue
                logger.warning(
                    "%s: its metadata cannot be read (%s) and is left out", path, " ".join(str(error).split())
                )
                return picture
            is_unknown = isinstance(error, UnidentifiedImageError)
            raise _damaged(path, "its header cannot be read" if is_unknown else str(error)) from error


def _upright(content: bytes, kind: PictureFormat, path: Path) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=[kind.name]) as picture:
        _check_size(picture, path)
        picture.load()
        turn = _TURNS.get(_orientation(picture, path))
        upright = to_rgb(picture, path)
        return upright if turn is None else upright.transpose(turn)


def _check_size(picture: Image.Image, path: Path) -> None:
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise _too_large(path, f"{width:,} x {height:,}, and {MOST_PIXELS:,} are the limit")
    tags = getattr(picture, "tag_v2", {})
    if _TILE_WIDTH in tags and tags[_TILE_WIDTH] * tags.get(_TILE_LENGTH, 1) > MOST_PIXELS:
        raise _too_large(path, f"a tile of it alone has more than {MOST_PIXELS:,}")


def _orientation(picture: Image.Image, path: Path) -> int:
    """Return EXIF's orientation of a picture, 1 to 8; 1 where none can be read, and then say so."""
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in _TURNS else 1
    except Exception as error:  # the parser of EXIF raises anything, too
        reason = " ".join(str(error).split()) or type(error).__name__
        logger.warning("%s: its orientation cannot be read (%s); it is taken as it lies", path, reason)
        return 1


@contextmanager
def _named_warnings(path: Path) -> Iterator[None]:
    """Log the warnings of decoders with the file's name, which they do not know."""
    caught: list[str] = []
    with _ONE_AT_A_TIME:
        # What `warnings.catch_warnings` does, in a tenth of its time, which counts for small pictures.
        filters, shown = warnings.filters, warnings.showwarning
        warnings.filters = _EVERY_WARNING
        warnings.showwarning = lambda message, *_, **__: caught.append(" ".join(str(message).split()))
        try:
            yield
        finally:
            warnings.filters, warnings.showwarning = filters, shown
    for message in dict.fromkeys(caught):
        logger.warning("%s: %s", path, message)


@contextmanager
def unheard_warnings() -> Iterator[None]:
    """Let no warning of a decoder be heard, where the file is decoded again later."""
    with _ONE_AT_A_TIME:
        filters = warnings.filters
        warnings.filters = _NO_WARNING
        try:
            yield
        finally:
            warnings.filters = filters


def _too_large(path: Path, reason: str) -> DataError:
    return DataError(f"{path} has too many pixels to be a picture of a person ({reason}); scale it down")


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
