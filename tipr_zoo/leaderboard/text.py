"""The leaderboard as text for terminals and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from tipr_zoo.cards.record import METRICS
from tipr_zoo.cards.web_address import is_web_address
from tipr_zoo.display.tables import Cell, Note, one_line, render_table
from tipr_zoo.display.text_layout import wrap
from tipr_zoo.leaderboard.folding import Entry
from tipr_zoo.leaderboard.marks import (
    ELSEWHERE,
    extra_data,
    marked_model,
    notes,
    published,
    ranks_by,
    weights,
    zoo_name,
)
from tipr_zoo.leaderboard.published_rows import published_rows
from tipr_zoo.leaderboard.ranks import RULE
from tipr_zoo.leaderboard.row import LeaderboardRow
from tipr_zoo.leaderboard.sections import FURTHER, Section, Sources, leaderboard_sections

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
    parts: list[str] = []
    left_out: dict[str, None] = {}
    for section in leaderboard_sections(rows):
        table, without = _text_table(section, sources, width)
        parts.append(f"{_hanging(section.title, width)}\n\n{table}")
        left_out |= dict.fromkeys(without)
    lines = [f"* best; + second best. {RULE}", *notes(rows)]
    if left_out:
        names = ", ".join(name for name in FURTHER if name in left_out)
        lines.append(f"not everywhere room for: {names}; a wider terminal or --format markdown has them")
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
        return "\n\n".join(
            [*parts, "; ".join(["**bold** is best, _slanted_ second best of a table", *notes(rows, brief=True)])]
        )
    lines = [f"**Bold** is best, _slanted_ second best. {RULE}", *map(_escaped, notes(rows))]
    return "\n\n".join([*parts, "\n".join(f"- {line}" for line in lines)])


def _text_table(section: Section, sources: Sources, width: int | None) -> tuple[str, list[str]]:
    """Return the table with as many further columns as fit, and the names of the others."""
    columns, further = ["model", *METRICS, "origin", "from"], list(section.further().items())
    lines: list[tuple[LeaderboardRow | None, list[Cell]]] = []
    for entry, figures in zip(section.entries, section.figures, strict=True):
        row = entry.row
        lines.append((row, [marked_model(row), *figures, row.origin, sources.numbers(entry.agreeing)]))
        if zoo_name(row) or row.spread:
            deviations = [_deviation(row, metric) for metric in METRICS]
            lines.append((None, [zoo_name(row), *deviations, "", ""]))
        for other in entry.contradicting:
            values = [other.metrics.get(metric) for metric in METRICS]
            lines.append((None, [ELSEWHERE, *values, other.origin, sources.numbers([other])]))
    for count in range(len(further), 0, -1):
        chosen = further[:count]
        cells = [[*line, *(cell(row) if row else "" for _, cell in chosen)] for row, line in lines]
        table = render_table([*columns, *(name for name, _ in chosen)], cells)
        if width is None or max(map(len, table.splitlines())) <= width:
            return table, [name for name, _ in further[count:]]
    return render_table(columns, [line for _, line in lines], width=width), [name for name, _ in further]


def _deviation(row: LeaderboardRow, metric: str) -> Cell:
    points = (row.spread or {}).get(metric)
    return None if points is None else Note(f"±{points:.2f}")


def _markdown_table(section: Section) -> str:
    further = section.further()
    columns = ["model", *METRICS, *further, "origin", "source"]
    cells: list[list[Cell]] = []
    for entry, figures in zip(section.entries, section.figures, strict=True):
        row = entry.row
        facts = [_escaped(cell(row)) for cell in further.values()]
        linked = "; ".join(map(_source, entry.agreeing))
        cells.append([_model(entry), *figures, *facts, row.origin, linked])
        for other in entry.contradicting:
            values = [other.metrics.get(metric) for metric in METRICS]
            cells.append([ELSEWHERE, *values, *([""] * len(further)), other.origin, _source(other)])
    return render_table(columns, cells, "markdown")


def _brief_table(section: Section) -> str:
    shown = [i for i, metric in enumerate(METRICS) if metric != "mINP"]
    facts = {"ranks by": ranks_by, "extra data": extra_data, "published": published, "weights": weights}
    columns = ["model", *(METRICS[i] for i in shown), *facts, "origin"]
    cells: list[list[Cell]] = []
    for entry, figures in zip(section.entries, section.figures, strict=True):
        words = [_escaped(cell(entry.row)) for cell in facts.values()]
        origins = "; ".join(map(_origin, entry.agreeing))
        cells.append([_model(entry), *(figures[i] for i in shown), *words, origins])
        for other in entry.contradicting:
            values = [other.metrics.get(METRICS[i]) for i in shown]
            cells.append([ELSEWHERE, *values, *([""] * len(facts)), _origin(other)])
    return render_table(columns, cells, "markdown")


def _model(entry: Entry) -> str:
    """Return the name that papers write with its marks, and below it the zoo's."""
    name = zoo_name(entry.row)
    return _escaped(marked_model(entry.row)) + (f"<br>{_escaped(name)}" if name else "")


def _source(row: LeaderboardRow) -> str:
    if row.date is not None:
        return _escaped(f"{row.date[:10]}, {row.source}")
    return _link(row.source, row.source_url)


def _origin(row: LeaderboardRow) -> str:
    if row.date is not None:
        return _escaped(f"{row.origin} {row.date[:10]}")
    return _link(row.origin, row.source_url)


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
