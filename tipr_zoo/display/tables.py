"""Tables for people and for programs, made from the same rows."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tipr_zoo.display.text_layout import drawn, fitted_widths, stacked
from tipr_zoo.terminal.escaping import escaped_json, replaced
from tipr_zoo.terminal.streams import is_terminal

FORMATS = ("text", "markdown", "csv", "json")
"""The formats of `render_table`."""


_FORMULA = r"[\s\u200b-\u200f\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]"
"""How a text begins that spreadsheets take for a formula and run."""


@dataclass(frozen=True)
class Best:
    """The best number of a column. It has a star in text, is bold in Markdown, and plain elsewhere."""

    value: float


@dataclass(frozen=True)
class Second:
    """The second best number of a column. It has a plus in text, is slanted in Markdown, and plain elsewhere."""

    value: float


@dataclass(frozen=True)
class Note:
    """A note in place of a missing number, e.g. ``"[1]"``. Text and Markdown show it. Elsewhere the cell is empty."""

    text: str


Cell = str | int | float | Best | Second | Note | None


def render_table(
    columns: Sequence[str], rows: Sequence[Sequence[Cell]], format: str = "text", width: int | None = None
) -> str:
    """Draw a table.

    Args:
        columns: The columns' names.
        rows: The rows, with one cell for each column. None is an empty cell.
        format: One of `FORMATS`. Text and Markdown show floats with two digits. CSV and JSON hold them unchanged.
        width: Most characters of a line of text. Long texts are wrapped, the widest columns first. Where that is not
            enough, each row becomes a few lines of its own. With None, nothing is wrapped.

    Returns:
        The table, without a line break at its end.

    Raises:
        ValueError: `format` is not one of `FORMATS`.
    """
    if format == "json":
        return to_json([{name: _plain(cell) for name, cell in zip(columns, row, strict=True)} for row in rows])
    if format == "csv":
        return _csv(columns, rows)
    if format == "markdown":
        return _markdown(columns, rows)
    if format == "text":
        return _text(columns, rows, width)
    raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")


def to_json(value: Any, indent: int | None = 2) -> str:
    """Return `value` as JSON of strict UTF-8. Letters of all languages stay as they are.

    A path is a text, and a number that is not finite is null.

    Args:
        value: What JSON can hold, with paths among it.
        indent: Blanks before the entries of lists and objects. With None, all is on one line.
    """
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False, default=os.fspath)
    except ValueError:
        text = json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False, default=os.fspath)
    return escaped_json(text)


def _finite(value: Any) -> Any:
    """Return a value in which None stands for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def terminal_width() -> int | None:
    """Return the terminal's width in characters. None where the output goes into a file or a pipe."""
    is_asked_for = is_terminal(sys.stdout) or os.environ.get("COLUMNS")
    return shutil.get_terminal_size().columns if is_asked_for else None


def one_line(text: str) -> str:
    r"""Return `text` in one line. Characters that would control a terminal become replacement characters.

    >>> one_line("a red\n\tjacket \x1b")
    'a red jacket \ufffd'

    Args:
        text: Text from a card or an evaluation record, which anybody can write.
    """
    return replaced(" ".join(text.split()))


def printable(text: str) -> str:
    """Return `text` with its line breaks. Characters that would control a terminal become replacement characters."""
    return "\n".join(replaced(line.expandtabs()) for line in text.split("\n"))


def _plain(cell: Cell) -> str | int | float | None:
    return cell.value if isinstance(cell, (Best, Second)) else None if isinstance(cell, Note) else cell


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_without_formula, columns))
    writer.writerows([_without_formula(_plain(cell)) for cell in row] for row in rows)
    return text.getvalue().rstrip("\n")


def _without_formula(cell: str | int | float | None) -> str | int | float | None:
    """Put an apostrophe before a text that spreadsheets would run. It is how they mark a text."""
    return f"'{cell}" if isinstance(cell, str) and re.match(_FORMULA, cell) else cell


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    def cell_text(cell: Cell) -> str:
        mark = "**" if isinstance(cell, Best) else "_" if isinstance(cell, Second) else ""
        return f"{mark}{_shown(cell)}{mark}".replace("|", "\\|")

    rules = ["---:" if is_number else "---" for is_number in _number_columns(columns, rows)]
    names = [one_line(name).replace("|", "\\|") for name in columns]
    lines = [names, rules, *([cell_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(columns: Sequence[str], rows: Sequence[Sequence[Cell]], width: int | None) -> str:
    """Draw columns side by side with a line under their names. Where they do not fit, stack the cells of each row."""
    is_number = _number_columns(columns, rows)
    is_marked = [any(isinstance(row[i], (Best, Second)) for row in rows) for i in range(len(columns))]
    # In a column with marks, a number without a mark gets a blank, so that the digits stand under each other.
    texts = [[_shown(cell) + (_mark(cell) or " " * is_marked[i]) for i, cell in enumerate(row)] for row in rows]
    columns = list(map(one_line, columns))
    names = [name + " " * is_marked[i] for i, name in enumerate(columns)]
    widths = fitted_widths(names, texts, is_number, width)
    if widths is None:
        return stacked(columns, texts, width or 0)
    return drawn(names, texts, widths, is_number)


def _number_columns(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[bool]:
    """Tell for each column whether it holds numbers. Numbers are right-aligned."""
    cells = [[row[i] for row in rows if row[i] is not None] for i in range(len(columns))]
    kinds = (int, float, Best, Second, Note)
    return [bool(column) and all(isinstance(cell, kinds) for cell in column) for column in cells]


def _mark(cell: Cell) -> str:
    """Return the mark after a number in text."""
    return "*" if isinstance(cell, Best) else "+" if isinstance(cell, Second) else ""


def _shown(cell: Cell) -> str:
    """Return a cell as text, without the mark of a best number, which depends on the format."""
    if cell is None:
        return ""
    if isinstance(cell, Note):
        return cell.text
    if isinstance(cell, (Best, Second)):
        return f"{cell.value:.2f}"
    return f"{cell:.2f}" if isinstance(cell, float) else one_line(str(cell))
