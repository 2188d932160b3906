"""The bytes of a picture file without metadata, for where metadata keeps a decoder from the pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tipr_zoo.pictures.formats import JPEG, PNG, PictureFormat

_LONGEST = 1 << 16
"""Bytes of a text that may hold the orientation."""

_TURNING_TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
_TURNING_SEGMENTS = (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0")
_PIXEL_CHUNKS = (b"tRNS", b"acTL", b"fcTL", b"fdAT")
"""Chunks of PNG that are not critical, and change pixels."""


def without_metadata(content: bytes, kind: PictureFormat) -> Iterator[bytes]:
    """Yield a picture file without metadata: first with what may hold the orientation, then without that, too.

    Nothing is yielded of a format whose decoder reads metadata only where it is asked to.

    Args:
        content: All bytes of the file.
        kind: Its format.
    """
    strip = {JPEG.name: _strip_jpeg, PNG.name: _strip_png}.get(kind.name)
    if strip is None:
        return
    for keeps_orientation in (True, False):
        try:
            yield strip(content, keeps_orientation)
        except (struct.error, IndexError):  # it ends within its metadata
            return


def _strip_jpeg(content: bytes, keeps_orientation: bool) -> bytes:
    """Return a JPEG without comments and applications' segments; JFIF's and Adobe's say what the colours mean."""
    kept, place = [content[:2]], 2
    while content[place] == 0xFF and content[place + 1] != 0xDA:  # the scan
        marker = content[place + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8 or marker == 0x01:  # no segment
            place += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", content, place + 2)
        segment = content[place : place + 2 + length]
        is_metadata = marker == 0xFE or (0xE0 < marker <= 0xEF and marker != 0xEE)
        if not is_metadata or (keeps_orientation and marker == 0xE1 and segment[4:].startswith(_TURNING_SEGMENTS)):
            kept.append(segment)
        place += 2 + length
    return b"".join([*kept, content[place:]])


def _strip_png(content: bytes, keeps_orientation: bool) -> bytes:
    """Return a PNG with its critical chunks, and those that change pixels."""
    kept, place = [content[:8]], 8
    while place < len(content):
        length, name = struct.unpack_from(">I4s", content, place)
        body = memoryview(content)[place + 8 : place + 8 + length]
        is_turning = name == b"eXIf" or (length < _LONGEST and bytes(body).startswith(_TURNING_TEXTS))
        if name[:1].isupper() or name in _PIXEL_CHUNKS or (keeps_orientation and is_turning):
            kept.append(content[place : place + 12 + length])
        place += 12 + length
    return b"".join(kept)
