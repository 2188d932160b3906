"""Picture files as cameras, programs and attackers make them, built in code: what is read, and what is refused."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image, PngImagePlugin, features

SIZE = (12, 20)


def pattern() -> Image.Image:
    """A picture whose every turn looks different."""
    picture = Image.linear_gradient("L").resize(SIZE)
    return Image.merge("RGB", (picture, picture.rotate(180), Image.new("L", SIZE, 90)))


def encoded(kind: str, picture: Image.Image | None = None, **options: object) -> bytes:
    """A picture in one of Pillow's formats."""
    buffer = io.BytesIO()
    (picture or pattern()).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def segment(marker: int, body: bytes) -> bytes:
    """A segment of JPEG."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def in_jpeg(*segments: bytes) -> bytes:
    """A JPEG with further segments at its beginning."""
    plain = encoded("JPEG", quality=95)
    return plain[:2] + b"".join(segments) + plain[2:]


def in_png(*chunks: bytes) -> bytes:
    """A PNG with further chunks behind its header."""
    plain = encoded("PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def turned_with_wrong_resolution() -> bytes:
    """EXIF with orientation 6 and an XResolution of -1/0."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHII", 0x011A, 10, 1, 38)
    body = b"II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0) + struct.pack("<ii", -1, 0)
    return b"Exif\0\0" + body


def huge_png(width: int, height: int) -> bytes:
    """A PNG of this many white pixels in a few bytes."""
    rows = zlib.compressobj(9)
    row, packed = b"\0" + b"\xff" * ((width + 7) // 8), b""
    for _ in range(height):
        packed += rows.compress(row)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed + rows.flush()) + chunk(b"IEND", b"")


def whole() -> dict[str, bytes]:
    """Files whose pixels are whole: each shows `pattern`, upright or turned by orientation 6."""
    long_text = PngImagePlugin.PngInfo()
    long_text.add_text("Comment", "so " * 700_000, zip=True)
    found = {
        "jpeg": encoded("JPEG", quality=95),
        "png": encoded("PNG"),
        "webp": encoded("WEBP", lossless=True),
        "gif": encoded("GIF"),
        "bmp": encoded("BMP"),
        "tiff": encoded("TIFF"),
        "compressed tiff": encoded("TIFF", compression="tiff_lzw"),
        "mpo": encoded("MPO", save_all=True, append_images=[pattern()], quality=95),
        "jpeg 2000": encoded("JPEG2000"),
        "jpeg with a wrong resolution": in_jpeg(segment(0xE1, b"Exif\0\0" + b"II*\0\x08\0\0\0\xff\xff")),
        "jpeg with damaged exif": in_jpeg(segment(0xE1, b"Exif\0\0" + b"\xff" * 40)),
        "jpeg with empty exif": in_jpeg(segment(0xE1, b"Exif\0\0")),
        "jpeg with a damaged list of pictures": in_jpeg(
            segment(0xE2, b"MPF\0" + b"II*\0\x08\0\0\0\x01\0" + b"\1" * 12)
        ),
        "png with a comment of 2 MB": encoded("PNG", pnginfo=long_text),
        "png with a damaged comment": in_png(chunk(b"zTXt", b"Comment\0\0not zlib")),
        "png with a wrong checksum of a comment": in_png(b"\0\0\0\2tEXta\0wrong"[:-1]),
        "png with a damaged profile": in_png(chunk(b"iCCP", b"a\0\0" + b"x" * 30)),
        "png with a profile of 20 MB": in_png(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(20_000_000)))),
        "png with damaged exif": in_png(chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff")),
        "turned jpeg with a wrong resolution": in_jpeg(segment(0xE1, turned_with_wrong_resolution())),
        "turned png with a comment of 2 MB": in_png(
            chunk(b"eXIf", turned_with_wrong_resolution()[6:]),
            chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"so " * 700_000)),
        ),
    }
    if features.check("avif"):
        found["avif"] = encoded("AVIF", quality=95)
    return found


def refused() -> dict[str, tuple[bytes, str]]:
    """Files that are refused, each with words of the reason."""
    return {
        "postscript": (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
            "in PostScript, which is not read",
        ),
        "photoshop": (b"8BPS\0\1" + bytes(100), "in Photoshop's format, which is not read here"),
        "jpeg xl": (b"\xff\x0a" + bytes(100), "in JPEG XL, which is not read here"),
        "netpbm": (b"P6\n2 2\n255\n" + bytes(12), "is not a picture"),
        "html": (b"<!doctype html><title>404</title>", "is not a picture"),
        "a bomb": (huge_png(13_000, 13_000), "has too many pixels to be a picture of a person (13,000 x 13,000"),
        "a bomb that is only a header": (
            b"BM" + bytes(8) + struct.pack("<IIiiHH", 54, 40, 60000, 60000, 1, 24) + bytes(40),
            "has too many pixels",
        ),
        "a cut jpeg with a comment": (in_jpeg(segment(0xFE, b"hi"))[:-200], "is truncated or damaged"),
        "a cut png with a comment": (in_png(chunk(b"zTXt", b"Comment\0\0not zlib"))[:-60], "is truncated or damaged"),
        "a png that ends in its metadata": (
            in_png(chunk(b"zTXt", b"Comment\0\0not zlib"))[:45],
            "is truncated or damaged",
        ),
    }
