"""The formats that pictures of people come in: which one a file is in, by its first bytes, and what decodes it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from PIL import Image, features

HEAD = 32
"""Bytes at the beginning of a file that tell its format."""

_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


@dataclass(frozen=True)
class PictureFormat:
    """A format of pictures.

    Attributes:
        name: Its name in Pillow.
        suffixes: Endings of its files, in lower case.
        module: The module of Pillow that decodes it.
        feature: What Pillow must be built with; None where nothing is needed.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    feature: str | None = None


JPEG = PictureFormat(
    "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"), "JpegImagePlugin"
)  # MPO begins as JPEG
PNG = PictureFormat("PNG", (".png", ".apng"), "PngImagePlugin")
GIF = PictureFormat("GIF", (".gif",), "GifImagePlugin")
BMP = PictureFormat("BMP", (".bmp", ".dib"), "BmpImagePlugin")
WEBP = PictureFormat("WEBP", (".webp",), "WebPImagePlugin", "webp")
TIFF = PictureFormat("TIFF", (".tif", ".tiff"), "TiffImagePlugin")
JPEG2000 = PictureFormat("JPEG2000", (".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"), "Jpeg2KImagePlugin", "jpg_2000")
AVIF = PictureFormat("AVIF", (".avif", ".avifs"), "AvifImagePlugin", "avif")
HEIF = PictureFormat("HEIF", (".heic", ".heif", ".hif"), "")

FORMATS = (JPEG, PNG, GIF, BMP, WEBP, TIFF, JPEG2000, AVIF, HEIF)

_NO_PICTURES = (
    ".txt .json .jsonl .csv .tsv .xml .yaml .yml .md .html .htm .log .py .ipynb .npy .npz .mat .pkl "
    ".pickle .pt .pth .safetensors .bin .h5 .hdf5 .parquet .feather .arrow .db .sqlite .lmdb .zip "
    ".tar .gz .7z .rar .mp4 .avi .mov .mkv .part .lock .tmp .ini .doc .docx .xls .xlsx .pdf"
)
NO_PICTURE_SUFFIXES = frozenset(_NO_PICTURES.split())
"""Endings, in lower case, of files that are not looked into: a data set may have one beside every picture."""

_BEGINNINGS = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF8", GIF),
    (b"BM", BMP),
    *((start, TIFF) for start in (b"II*\0", b"MM\0*", b"MM*\0", b"II\0*", b"II+\0", b"MM\0+")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG2000),
    (b"\xff\x4f\xff\x51", JPEG2000),
)
_OTHER_BEGINNINGS = (
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop's format"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"<svg", "SVG"),
    (b"\0\0\1\0", "Windows' format of icons"),
    (b"gimp xcf", "GIMP's format"),
    (b"DDS ", "DDS"),
    (b"SIMPLE  =", "FITS"),
    (b"v/1\x01", "OpenEXR"),
)

_OTHERS = (
    ".3fr .ai .arw .bpg .cr2 .cr3 .dcm .dng .emf .eps .exr .fits .hdr .icns .ico .jls .jng .jxl .jxr "
    ".mng .nef .orf .pam .pbm .pcx .pfm .pgm .pic .pnm .ppm .ps .psb .psd .qoi .raf .ras .raw .rw2 "
    ".sgi .srw .svg .svgz .tga .wdp .wmf .xbm .xcf .xpm"
)
OTHER_SUFFIXES = frozenset(_OTHERS.split())
"""Endings, in lower case, of pictures in formats that are not read here."""


def format_of(head: bytes) -> PictureFormat | None:
    """Return the format that a file is in.

    Args:
        head: Its first `HEAD` bytes or more.
    """
    for start, kind in _BEGINNINGS:
        if head.startswith(start):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[start : start + 4] for start in range(16, HEAD, 4))}
        return AVIF if brands & {b"avif", b"avis"} else HEIF if not brands.isdisjoint(_HEIF_BRANDS) else None
    return None


def is_surely(head: bytes, kind: PictureFormat) -> bool:
    """Tell whether a file of this format needs no ending that says so. Two letters make no bitmap of a text."""
    return kind is not BMP or (head[6:10] == b"\0\0\0\0" and head[15:18] == b"\0\0\0")


def other_format_of(head: bytes) -> str | None:
    """Return what a file is that is a picture in a format that is not read here; None where that is not known."""
    return next((name for start, name in _OTHER_BEGINNINGS if head.startswith(start)), None)


@cache
def missing_for(kind: PictureFormat) -> str | None:
    """Return what must be installed to decode a format; None where nothing is missing. Its decoder is registered.

    Pillow's other decoders are never asked. Some of them start other programs.
    """
    if kind is HEIF:
        if find_spec("pillow_heif") is None:
            return "pip install pillow-heif"
        importlib.import_module("pillow_heif").register_heif_opener()
        return None
    try:
        importlib.import_module(f"PIL.{kind.module}")
        is_there = kind.feature is None or bool(features.check(kind.feature))
    except ImportError:
        is_there = False
    return None if is_there and kind.name in Image.OPEN else "pip install --upgrade pillow"


@cache
def readable_suffixes() -> frozenset[str]:
    """Return the endings, in lower case, of the files that can be decoded with what is installed."""
    return frozenset(suffix for kind in FORMATS if missing_for(kind) is None for suffix in kind.suffixes)
