"""The shape of pictures: a picture of one person, from head to foot, is higher than wide."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path

from PIL import ExifTags, Image

from tipr_zoo.outside.files import PICTURE_LIMIT, read_bytes, read_head
from tipr_zoo.pictures.decoding import unheard_warnings
from tipr_zoo.pictures.formats import HEAD, format_of, missing_for

LEAST_HIGH, MOST_HIGH = 1.25, 5.0
"""How many times as high as wide a picture of a person is. ``docs/answers.md`` has the figures behind it."""

_FIRST_BYTES = 65_536
"""Where nearly every format says how large a picture is."""

_LYING = (5, 6, 7, 8)
"""The orientations of EXIF in which width and height are exchanged."""


def is_of_a_person(width: int, height: int) -> bool:
    """Tell whether an upright picture has the shape that a picture of one person has.

    Args:
        width: In pixels.
        height: In pixels.

    >>> is_of_a_person(128, 384), is_of_a_person(640, 480)
    (True, False)
    """
    return width > 0 and LEAST_HIGH <= height / width <= MOST_HIGH


def picture_size(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Read how large a picture is, without decoding it.

    Args:
        path: The file.

    Returns:
        Its width and height in pixels when it is upright; None where the file does not say so. No warning is given:
        whoever decodes the file has it.
    """
    head = read_head(path, _FIRST_BYTES)
    kind = format_of(head[:HEAD])
    if kind is None or missing_for(kind) is not None:
        return None
    size = _size_of(head, kind.name)
    if size is None and len(head) == _FIRST_BYTES:
        try:
            size = _size_of(read_bytes(path, PICTURE_LIMIT), kind.name)
        except OSError:
            return None
    return size


def _size_of(content: bytes, kind: str) -> tuple[int, int] | None:
    try:
        with unheard_warnings(), Image.open(io.BytesIO(content), formats=[kind]) as picture:
            width, height = picture.size
            # Pillow turns the size of a TIFF by itself.
            is_lying = kind != "TIFF" and picture.getexif().get(ExifTags.Base.Orientation) in _LYING
    except Exception:  # on damaged bytes, decoders raise anything
        return None
    return (height, width) if is_lying else (width, height)


def unlike_persons(paths: Iterable[Path]) -> list[Path]:
    """Return the pictures that have not the shape of a person's, in their order.

    Args:
        paths: Picture files. Those that do not say how large they are, are left out.
    """
    sizes = ((path, picture_size(path)) for path in paths)
    return [path for path, size in sizes if size is not None and not is_of_a_person(*size)]
