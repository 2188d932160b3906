"""Tables for people and for programs, from the same rows."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FORMATS = ("text", "markdown", "csv", "json")
"""The formats of `render_table`."""

_GAP = 2


@dataclass(frozen=True)
class Best:
    """A number that is the best of its column: starred in text, bold in Markdown, a plain number elsewhere."""

    value: float


@dataclass(frozen=True)
class Note:
    """Stands where a number is missing, e.g. ``"[1]"``: shown in text and Markdown, empty elsewhere."""

    text: str


Cell = str | int | float | Best | Note | None


def render_table(
    columns: Sequence[str], rows: Sequence[Sequence[Cell]], format: str = "text", width: int | None = None
) -> str:
    """Draw a table.

    Args:
        columns: The columns' names.
        rows: One cell a column; None where there is nothing to say.
        format: One of `FORMATS`. Text and Markdown show floats with two digits; CSV and JSON hold them as they are.
        width: Most characters a line of text may have; long texts are wrapped, the widest columns first. None wraps
            nothing.

    Returns:
        The table, without a line break at its end.
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


def to_json(value: Any) -> str:
    """`value` as JSON, indented, with letters of every language as they are."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def terminal_width() -> int | None:
    """Width of the terminal in characters; None where the output goes into a file or a pipe, which has none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() or os.environ.get("COLUMNS") else None


def _plain(cell: Cell) -> str | int | float | None:
    return cell.value if isinstance(cell, Best) else None if isinstance(cell, Note) else cell


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_plain(cell) for cell in row] for row in rows)
    return text.getvalue().rstrip("\n")


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    def cell_text(cell: Cell) -> str:
        text = f"**{_shown(cell)}**" if isinstance(cell, Best) else _shown(cell)
        return text.replace("|", "\\|")

    rules = ["---:" if is_number else "---" for is_number in _number_columns(columns, rows)]
    lines = [columns, rules, *([cell_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(columns: Sequence[str], rows: Sequence[Sequence[Cell]], width: int | None) -> str:
    """The columns side by side with a line under their names, and nothing else drawn."""
    from prettytable import HRuleStyle, PrettyTable, VRuleStyle

    is_number = _number_columns(columns, rows)
    has_best = [any(isinstance(row[i], Best) for row in rows) for i in range(len(columns))]
    # A number beside a starred one gets a blank, so that the digits stand under each other.
    texts = [
        [f"{_shown(cell)}{'*' if isinstance(cell, Best) else ' ' * has_best[i]}" for i, cell in enumerate(row)]
        for row in rows
    ]
    names = [name + " " * has_best[i] for i, name in enumerate(columns)]
    table = PrettyTable(names)
    table.hrules, table.vrules = HRuleStyle.HEADER, VRuleStyle.NONE
    table.horizontal_char, table.junction_char = "-", "-"
    # With a blank where the vertical line would be, one of padding leaves a gap of two between columns.
    table.left_padding_width, table.right_padding_width = 0, _GAP - 1
    table.align = dict(zip(names, ("r" if number else "l" for number in is_number), strict=True))
    if width is not None:
        table.max_width = dict(zip(names, _fitted_widths(names, texts, is_number, width), strict=True))
    table.add_rows(texts)
    return "\n".join(line[1:-_GAP].rstrip() for line in table.get_string().splitlines())


def _fitted_widths(
    names: Sequence[str], texts: Sequence[Sequence[str]], is_number: Sequence[bool], width: int
) -> list[int]:
    """Widths at which the table fits: texts are wrapped between words, then, where it must be, inside of them."""
    columns = [[name, *(row[i] for row in texts)] for i, name in enumerate(names)]
    widths = [max(map(len, column)) for column in columns]
    longest_words = [max(len(word) for text in column for word in text.split() or [""]) for column in columns]
    for least in (longest_words, [max(len(name), 8) for name in names]):
        while sum(widths) + _GAP * (len(widths) - 1) > width:
            candidates = [i for i in range(len(widths)) if not is_number[i] and widths[i] > least[i]]
            if not candidates:
                break
            widths[max(candidates, key=lambda i: widths[i])] -= 1
    return widths


def _number_columns(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[bool]:
    """For every column whether it holds numbers, which stand right-aligned."""
    cells = [[row[i] for row in rows if row[i] is not None] for i in range(len(columns))]
    return [bool(column) and all(isinstance(cell, (int, float, Best, Note)) for cell in column) for column in cells]


def _shown(cell: Cell) -> str:
    """A cell as text; the mark of a best one is its format's own."""
    if cell is None:
        return ""
    if isinstance(cell, Note):
        return cell.text
    if isinstance(cell, Best):
        return f"{cell.value:.2f}"
    return f"{cell:.2f}" if isinstance(cell, float) else " ".join(str(cell).split())
