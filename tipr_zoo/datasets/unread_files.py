"""Files beside a data set that look like annotations and were not understood, with what each seems to be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tipr_zoo.datasets.reading.json_files import read_json
from tipr_zoo.datasets.reading.json_shapes import shape_of
from tipr_zoo.datasets.reading.text import decode, read_bytes
from tipr_zoo.datasets.tables.columns import has_required
from tipr_zoo.datasets.tables.rows import TABLE_SUFFIXES, read_table
from tipr_zoo.errors import DataError
from tipr_zoo.pictures.files import PICTURE_SUFFIXES

_ARCHIVE = "an archive; unpack it"
_KINDS = {
    "a spreadsheet; save its table as CSV in UTF-8": (".xlsx", ".xls", ".ods", ".numbers"),
    "a pickle, which may run code when it is opened; save what it holds as JSON": (".pkl", ".pickle"),
    "MATLAB's arrays; save them as CSV or JSON": (".mat",),
    "arrays without names; save their table as CSV or JSON": (".npy", ".npz", ".h5", ".hdf5"),
    "a table of Arrow; save it as Parquet, CSV or JSON": (".arrow", ".feather", ".orc"),
    "a database; save its table as CSV or JSON": (".db", ".sqlite", ".sqlite3", ".lmdb", ".mdb"),
    "XML; save what it says as CSV or JSON": (".xml",),
    "YAML; save what it says as CSV or JSON": (".yaml", ".yml"),
    _ARCHIVE: (".zip", ".tar", ".tgz", ".gz", ".rar", ".7z", ".xz", ".bz2"),
}
_KIND_OF = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes}
_LARGEST = 2**26  # bytes; a larger file is named, and not opened to say what it is
_PLAIN_TEXTS = ("readme", "license", "licence", "requirements", "changelog")


def unread_files(folder: Path, read: Iterable[Path] = (), archives: bool = True) -> Iterator[tuple[Path, str]]:
    """Yield files in a folder that could hold annotations and are not among those that were read.

    Args:
        folder: The folder; none below it is searched.
        read: Files that were read, or that are known.
        archives: Name archives, too: what was unpacked leaves them behind.

    Yields:
        Each file, with what it seems to be and what to do about it.
    """
    known = {os.path.abspath(path) for path in read}
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return
    pictures = {path.stem for path in files if path.suffix.lower() in PICTURE_SUFFIXES}
    for file in files:
        if os.path.abspath(file) in known or file.name.startswith("."):
            continue
        if file.suffix.lower() == ".txt" and (file.stem in pictures or file.stem.casefold().startswith(_PLAIN_TEXTS)):
            continue
        if not archives and _KIND_OF.get(file.suffix.lower()) == _ARCHIVE:
            continue
        if (kind := _kind_of(file)) is not None:
            yield file, kind


def _kind_of(file: Path) -> str | None:
    """Say what a file seems to be; None if it can hold no annotations."""
    suffix = file.suffix.lower()
    if suffix in _KIND_OF:
        return _KIND_OF[suffix]
    if suffix not in (*TABLE_SUFFIXES, ".txt"):
        return None
    if file.stat().st_size > _LARGEST:
        return "too large to look into"
    try:
        if suffix == ".json":
            return shape_of(read_json(file)[0])
        if suffix == ".txt":
            return _kind_of_text(file)
        names = read_table(file).columns
        if has_required(names):
            return "another table of pictures and captions"
        return f"a table of {', '.join(map(repr, names[:8]))}, without image and caption"
    except DataError as error:
        return f"not readable: {error}"
    except ValueError:
        return "text in an unknown encoding"


def _kind_of_text(file: Path) -> str:
    lines = decode(file, read_bytes(file)).text.strip().splitlines()
    first = lines[0] if lines else ""
    shown = repr(first if len(first) <= 60 else first[:57] + "...")
    advice = "a table needs the ending .csv or .tsv and a line of column names, image and caption"
    return f"text of {len(lines):,} lines, e.g. {shown}; {advice}" if lines else "an empty text"
