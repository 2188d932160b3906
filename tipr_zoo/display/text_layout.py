"""Texts laid out in columns, wrapped where they are too wide, or stacked where they cannot stand side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest

from tipr_zoo.terminal.cells import cell_width, cut, is_narrow

_GAP = 2

_WORD_PART = r"[^\s_/.-]*[_/.-]+|[^\s_/.-]+"


def drawn(
    names: Sequence[str], texts: Sequence[Sequence[str]], widths: Sequence[int], is_number: Sequence[bool]
) -> str:
    """Draw the table at these widths. A longer cell goes over several lines.

    Args:
        names: The columns' names.
        texts: The cells of each row.
        widths: Characters of each column.
        is_number: Which columns are right-aligned.
    """
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


def fitted_widths(
    names: Sequence[str], texts: Sequence[Sequence[str]], is_number: Sequence[bool], width: int | None
) -> list[int] | None:
    """Return widths at which the table fits. None where it cannot fit.

    Texts are wrapped between words. Where that is not enough, they are also wrapped after ``_``, ``-``, ``/`` and
    ``.`` inside words.

    Args:
        names: The columns' names.
        texts: The cells of each row.
        is_number: Which columns hold numbers, and are not wrapped.
        width: Characters of a line; None for any number.
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


def stacked(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """Draw each row as lines: the first cell as a title, and below it the others after their columns' names.

    Args:
        columns: The columns' names.
        rows: The cells of each row, the first of which is its title.
        width: Characters of a line.
    """
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
