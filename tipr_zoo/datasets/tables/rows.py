"""The reading of somebody's own table: CSV, TSV, JSON Lines or JSON."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.datasets.reading.json_files import Entry, entries_in, json_type, read_json
from tipr_zoo.datasets.reading.text import Text, UnknownEncodingError, decode, read_bytes
from tipr_zoo.datasets.reading.words import stripped
from tipr_zoo.datasets.tables.columns import has_required
from tipr_zoo.datasets.tables.parquet import read_parquet
from tipr_zoo.datasets.tables.text_files import read_text_files
from tipr_zoo.errors import DataError
from tipr_zoo.outside.parsing import parse_json
from tipr_zoo.terminal.suggested_command import suggested_command

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
"""Endings of files that may be a table."""

_DELIMITERS = {".csv": ",;\t|", ".tsv": "\t,;|"}
_SEPARATOR = re.compile(r"sep=.?", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """The rows of a table, not checked yet.

    Attributes:
        columns: Every column of any row, in order of appearance.
        entries: The rows. `Entry.values` is an object of columns if all is well. Otherwise it is a text that says what
            is wrong.
        unread: Lists in the file that are not its rows.
        rule: One line that says how the file was read, if it does not say it; see `Text`.
    """

    columns: tuple[str, ...]
    entries: list[Entry]
    unread: tuple[str, ...] = ()
    rule: str | None = None


def read_table(file: Path) -> Table:
    """Read a table; the ending of its file name tells the format.

    Args:
        file: The table. Or a folder of pictures with a text file beside each.

    Raises:
        DataError: The file has no ending of a table, cannot be read, is in an unknown encoding, is broken, or holds no
            rows.
    """
    suffix = file.suffix.lower()
    unread: list[str] = []
    rule = None
    if file.is_dir():
        entries, rule = read_text_files(file)
    elif suffix in _DELIMITERS:
        text = _read_text(file)
        columns, entries = _read_delimited(file, text.text, _DELIMITERS[suffix])
        return _checked(file, Table(columns, entries, rule=text.rule))
    elif suffix == ".jsonl":
        text = _read_text(file)
        entries, rule = _read_lines(file, text.text), text.rule
    elif suffix == ".parquet":
        entries = [Entry(file, number, None, row) for number, row in enumerate(read_parquet(file))]
    elif suffix == ".json":
        entries, unread, rule = _read_json_table(file)
    else:
        endings = ", ".join(TABLE_SUFFIXES)
        raise DataError(
            f"{file} is no table that is read here; save it as one that ends in {endings}, or name a data set's folder"
        )
    objects = (entry.values for entry in entries if isinstance(entry.values, dict))
    return _checked(
        file, Table(tuple(dict.fromkeys(key for row in objects for key in row)), entries, tuple(unread), rule)
    )


def _checked(file: Path, table: Table) -> Table:
    """Return a table that has rows.

    Raises:
        DataError: It has none.
    """
    if not table.entries:
        raise DataError(f"{file} holds no rows; write one for each picture and caption")
    return table


def _read_text(file: Path) -> Text:
    """Read the text of a file, in UTF-8 or in what `decode` tells it from.

    Raises:
        DataError: It cannot be read, is a spreadsheet, is in an unknown encoding, or is empty.
    """
    content = read_bytes(file)
    if content.startswith(b"PK\x03\x04"):
        raise DataError(f"{file} is a spreadsheet or a zip file under another name; save its table as CSV in UTF-8")
    try:
        text = decode(file, content)
    except UnknownEncodingError as error:
        raise DataError(error.message(file, f"at byte {error.start}:")) from error
    if not text.text.strip():
        raise DataError(f"{file} is empty; write a line of column names, then one for each picture and caption")
    return text


def _read_delimited(file: Path, text: str, delimiters: str) -> tuple[tuple[str, ...], list[Entry]]:
    header: list[str] = []
    chosen = delimiters[0]
    for delimiter in delimiters:
        # The first delimiter whose columns make sense is taken. If there is none, the one that gives most columns.
        _, first = next(_rows(file, text, delimiter, is_strict=False), (1, []))
        cells = [stripped(cell) for cell in first]
        if has_required(cells) or len(cells) > len(header):
            header, chosen = cells, delimiter
        if has_required(cells):
            break
    doubled = next((name for place, name in enumerate(header) if name and name in header[:place]), None)
    if doubled is not None:
        raise DataError(f"{file} has two columns {doubled!r}; remove or rename one")
    _, *rows = _rows(file, text, chosen)
    entries = [Entry(file, line, None, _row(header, cells)) for line, cells in rows]
    return tuple(name for name in header if name), entries


def _rows(file: Path, text: str, delimiter: str, is_strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the line that it begins on.

    Excel's ``sep=;`` above the column names is no row.

    Raises:
        DataError: A row is broken. The message says on which line that row begins.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=is_strict)
    line, is_first = 1, True
    try:
        for cells in reader:
            is_separator = is_first and _SEPARATOR.fullmatch(delimiter.join(cells).strip()) is not None
            if any(cell.strip() for cell in cells) and not is_separator:
                yield line, cells
                is_first = False
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{file} is broken in the row that begins on line {line} ({error}): write quotes inside of a quoted cell"
            ' twice (""), and close every quote'
        ) from error


def _row(header: list[str], cells: list[str]) -> dict[str, str] | str:
    # Spreadsheets drop empty cells at the end of a line, or add some.
    while len(cells) > len(header) and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) > len(header):
        return (
            f"it has {len(cells)} cells, though there are {len(header)} columns; put quotes around a cell that holds"
            " the separator"
        )
    padded = [*cells, *[""] * (len(header) - len(cells))]
    return {name: cell for name, cell in zip(header, padded, strict=True) if name}


def _read_lines(file: Path, text: str) -> list[Entry]:
    entries = []
    if text.lstrip().startswith("["):
        raise DataError(f"{file} is one JSON list, not JSON Lines; rename it: {_renamed(file, '.json')}")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entries.append(Entry(file, number, None, parse_json(line, nan=True)))
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", None) or str(error)
            raise DataError(f"{file} is broken JSON at line {number} ({reason}); mend that line") from error
    return entries


def _read_json_table(file: Path) -> tuple[list[Entry], list[str], str | None]:
    try:
        content, rule = read_json(file)
    except DataError as error:
        if getattr(error.__cause__, "msg", None) == "Extra data":
            raise DataError(
                f"{file} is not one JSON value; if it is JSON Lines, rename it: {_renamed(file, '.jsonl')}"
            ) from error
        raise
    found = entries_in(file, content, None)
    if found is None:
        raise DataError(
            f"{file} holds a JSON {json_type(content)}, not a list of rows; write"
            ' [{"image": ..., "caption": ...}, ...]'
        )
    return (*found, rule)


def _renamed(file: Path, suffix: str) -> str:
    """Write the command that gives a file another ending."""
    return suggested_command("mv", file, file.with_suffix(suffix))
