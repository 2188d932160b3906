"""The leaderboard as text for terminals and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

from tipr_zoo.cards.record import METRICS
from tipr_zoo.display.tables import Cell, one_line, render_table
from tipr_zoo.display.text_layout import wrap
from tipr_zoo.leaderboard.marks import (
    code_license,
    encoder,
    extra_data,
    is_web_address,
    marked_model,
    notes,
    ranks_by,
    weights,
)
from tipr_zoo.leaderboard.published_rows import published_rows
from tipr_zoo.leaderboard.ranks import RULE
from tipr_zoo.leaderboard.rows import LeaderboardRow
from tipr_zoo.leaderboard.sections import Section, Sources, leaderboard_sections

_FURTHER: dict[str, Callable[[LeaderboardRow], str]] = {
    "encoder": encoder,
    "ranks by": ranks_by,
    "extra data": extra_data,
    "weights": weights,
    "code licence": code_license,
}
"""Columns that are left out where there is no room, the most important first."""

_MARKUP = re.compile(r"[\\`*\[\]<&]|(?<!\w)_|_(?!\w)")
"""Characters that Markdown does not show as they are. It shows an underscore inside a word."""

_ENTITIES = {"<": "&lt;", "&": "&amp;"}

_OF_ADDRESSES = "%/:?#@!$&'*+,;=~[]"
"""Characters that stay as they are in a link. Brackets, blanks and quotation marks would end it."""


def text_leaderboard(rows: Sequence[LeaderboardRow], width: int | None) -> str:
    """Return the leaderboard as text, with numbered sources and the columns that fit.

    Args:
        rows: As `tipr_zoo.leaderboard.rows.leaderboard_rows` sorts them.
        width: Most characters of a line. None for no limit.
    """
    sources = Sources()
    parts, least = [], len(_FURTHER)
    for section in leaderboard_sections(rows):
        table, count = _text_table(section, sources, width)
        parts.append(f"{_hanging(section.title, width)}\n\n{table}")
        least = min(least, count)
    lines = [f"* best; + second best. {RULE}", *notes(rows)]
    if left_out := list(_FURTHER)[least:]:
        lines.append(f"not everywhere room for: {', '.join(left_out)}; a wider terminal or --format markdown has them")
    numbered = [f"[{number}] {text}" for number, text in sources.items()]
    return "\n\n".join([*parts, *("\n".join(_hanging(line, width) for line in part) for part in (lines, numbered))])


def markdown_leaderboard(rows: Sequence[LeaderboardRow], brief: bool = False) -> str:
    """Return the leaderboard as Markdown. Every source is a link.

    Args:
        rows: As `tipr_zoo.leaderboard.rows.leaderboard_rows` sorts them.
        brief: Whether to leave out mINP, encoders, licences and the names of sources. The origins are the links then.
    """
    table, rows = _brief_table if brief else _markdown_table, published_rows(rows)
    parts = [f"### {_escaped(one_line(section.title))}\n\n{table(section)}" for section in leaderboard_sections(rows)]
    if brief:
        return "\n\n".join([*parts, "; ".join(["**bold** is best, _slanted_ second best of a table", *notes(rows)])])
    lines = [f"**Bold** is best, _slanted_ second best. {RULE}", *notes(rows)]
    return "\n\n".join([*parts, "\n".join(f"- {line}" for line in lines)])


def _text_table(section: Section, sources: Sources, width: int | None) -> tuple[str, int]:
    """Return the table with as many further columns as fit, and their number."""
    columns = ["model", *METRICS, "origin", "from"]
    cells: list[list[Cell]] = [
        [marked_model(row), *figures, row.origin, f"[{sources.number(row)}]"]
        for row, figures in zip(section.rows, section.figures, strict=True)
    ]
    for count in range(len(_FURTHER), 0, -1):
        chosen = list(_FURTHER.items())[:count]
        table = render_table(
            [*columns, *(name for name, _ in chosen)],
            [[*line, *(cell(row) for _, cell in chosen)] for line, row in zip(cells, section.rows, strict=True)],
        )
        if width is None or len(table.splitlines()[1]) <= width:
            return table, count
    return render_table(columns, cells, width=width), 0


def _markdown_table(section: Section) -> str:
    columns = ["model", *METRICS, "encoder", "ranks by", "extra data", "weights", "code licence", "origin", "source"]
    cells: list[list[Cell]] = []
    for row, figures in zip(section.rows, section.figures, strict=True):
        source = _escaped(f"{row.date[:10]}, {row.source}") if row.date else _link(row.source, row.source_url)
        facts = map(_escaped, [encoder(row), ranks_by(row), extra_data(row), weights(row), code_license(row)])
        cells.append([_escaped(marked_model(row)), *figures, *facts, row.origin, source])
    return render_table(columns, cells, "markdown")


def _brief_table(section: Section) -> str:
    shown = [i for i, metric in enumerate(METRICS) if metric != "mINP"]
    columns = ["model", *(METRICS[i] for i in shown), "ranks by", "extra data", "weights", "origin"]
    cells: list[list[Cell]] = []
    for row, figures in zip(section.rows, section.figures, strict=True):
        origin = _escaped(f"{row.origin} {row.date[:10]}") if row.date else _link(row.origin, row.source_url)
        facts = [_escaped(ranks_by(row)), _escaped(extra_data(row)), weights(row)]
        cells.append([_escaped(marked_model(row)), *(figures[i] for i in shown), *facts, origin])
    return render_table(columns, cells, "markdown")


def _link(text: str, url: str | None) -> str:
    shown = _escaped(text)
    return f"[{shown}]({quote(str(url), safe=_OF_ADDRESSES)})" if is_web_address(url) else shown


def _escaped(text: str) -> str:
    """Return Markdown that shows `text` letter by letter. The table itself escapes pipes."""
    return _MARKUP.sub(lambda match: _ENTITIES.get(match[0]) or f"\\{match[0]}", text)


def _hanging(line: str, width: int | None) -> str:
    """Break a note into lines. All but the first are indented by two."""
    line = one_line(line)
    if width is None:
        return line
    first, *others = wrap(line, width)
    return "\n".join([first, *(f"  {part}" for part in wrap(" ".join(others), max(1, width - 2)) if part)])
