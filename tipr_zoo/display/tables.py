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
from functools import partial
from itertools import zip_longest
from typing import Any

from tipr_zoo.terminal.cells import cell_width, cut, is_narrow
from tipr_zoo.terminal.escaping import escaped_json, replaced
from tipr_zoo.terminal.streams import is_terminal

FORMATS = ("text", "markdown", "csv", "json")
"""The formats of `render_table`."""

_GAP = 2

_FORMULA = r"[\s\u200b-\u200f\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]"
"""How a text begins that spreadsheets take for a formula and run."""

_WORD_PART = r"[^\s_/.-]*[_/.-]+|[^\s_/.-]+"


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
    widths = _fitted_widths(names, texts, is_number, width)
    if widths is None:
        return _stacked(columns, texts, width or 0)
    return _drawn(names, texts, widths, is_number)


def _drawn(
    names: Sequence[str], texts: Sequence[Sequence[str]], widths: Sequence[int], is_number: Sequence[bool]
) -> str:
    """Draw the table at these widths. A longer cell goes over several lines."""
    rows = [
        [
            text if cell_width(text) <= width else "\n".join(wrap(text, width))
            for text, width in zip(row, widths, strict=True)
        ]
        for row in (names, *texts)
    ]
    if _is_narrow(rows):
        return _drawn_plainly(rows, widths, is_number)
    from prettytable import HRuleStyle, PrettyTable, VRuleStyle  # not at the top: JSON and CSV need it not

    table = PrettyTable([str(i) for i in range(len(names))])
    # The names are a row, since a header has only one line.
    table.header, table.hrules, table.vrules = False, HRuleStyle.NONE, VRuleStyle.NONE
    table.horizontal_char, table.junction_char = "-", "-"
    # A blank stands in place of the vertical line, so a padding of one makes a gap of two between columns.
    table.left_padding_width, table.right_padding_width = 0, _GAP - 1
    table.align = {str(i): "r" if number else "l" for i, number in enumerate(is_number)}
    table.min_width = {str(i): width for i, width in enumerate(widths)}
    for number, row in enumerate(rows):
        table.add_row(row, divider=number == 0)
    return "\n".join(line[1:-_GAP].rstrip() for line in table.get_string().splitlines())


def _is_narrow(rows: Sequence[Sequence[str]]) -> bool:
    return all(is_narrow(line) for row in rows for text in row for line in text.split("\n"))


def _drawn_plainly(rows: Sequence[Sequence[str]], widths: Sequence[int], is_number: Sequence[bool]) -> str:
    """Draw narrow letters as PrettyTable does, which loads a table of wide ones for longer than all the rest takes."""
    lines = []
    for row in rows:
        for parts in zip_longest(*(text.split("\n") for text in row), fillvalue=""):
            cells = zip(parts, widths, is_number, strict=True)
            lines.append((" " * _GAP).join(f"{part:{'>' if number else '<'}{width}}" for part, width, number in cells))
    if len(rows) > 1:  # a line under the names
        lines.insert(max(text.count("\n") for text in rows[0]) + 1, "-" * (sum(widths) + _GAP * (len(widths) - 1)))
    return "\n".join(line.rstrip() for line in lines)


def _fitted_widths(
    names: Sequence[str], texts: Sequence[Sequence[str]], is_number: Sequence[bool], width: int | None
) -> list[int] | None:
    """Return widths at which the table fits. None where it cannot fit.

    Texts are wrapped between words. Where that is not enough, they are also wrapped after ``_``, ``-``, ``/`` and
    ``.`` inside words.
    """
    columns = [[name, *(row[i] for row in texts)] for i, name in enumerate(names)]
    widths = [max(map(cell_width, column)) for column in columns]
    if width is None:
        return widths
    for parts in (str.split, partial(re.findall, _WORD_PART)):
        least = [max((cell_width(part) for text in column for part in parts(text)), default=0) for column in columns]
        while sum(widths) + _GAP * (len(widths) - 1) > width:
            candidates = [i for i in range(len(widths)) if not is_number[i] and widths[i] > least[i]]
            if not candidates:
                break
            widths[max(candidates, key=lambda i: widths[i])] -= 1
        else:
            return widths
    return None


def _stacked(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """Draw each row as lines: the first cell as a title, and below it the others after their columns' names."""
    lines: list[str] = []
    for title, *cells in rows:
        lines += wrap(title, width)
        line = ""
        for name, text in zip(columns[1:], map(str.strip, cells), strict=True):
            if not text:
                continue
            item = f"{name} {text}"
            if line and cell_width(line) + _GAP + cell_width(item) <= width:
                line += " " * _GAP + item
                continue
            lines += [line] if line else []
            *whole, rest = wrap(item, max(1, width - _GAP))
            lines += [" " * _GAP + part for part in whole]
            line = " " * _GAP + rest
        lines += [line] if line else []
    return "\n".join(lines)


def wrap(text: str, width: int) -> list[str]:
    """Break a text between words.

    A word that is wider than a line breaks after one of ``_-/.``, or anywhere if it must.

    >>> wrap("a man in a red jacket", 8)
    ['a man in', 'a red', 'jacket']

    Args:
        text: The text. White space at the end of a line is dropped.
        width: Most cells of a line.

    Returns:
        The lines, at least one.
    """
    lines = [""]
    for word in text.split():
        if lines[-1] and cell_width(lines[-1]) + 1 + cell_width(word) <= width:
            lines[-1] += f" {word}"
            continue
        lines += [""] if lines[-1] else []
        for part in [word] if cell_width(word) <= width else re.findall(_WORD_PART, word):
            if cell_width(lines[-1]) + cell_width(part) <= width:
                lines[-1] += part
                continue
            lines += [""] if lines[-1] else []
            lines[-1:] = cut(part, width)
    return lines


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
