"""The leaderboard as LaTeX tables in the style of booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tipr_zoo.cards.record import METRICS
from tipr_zoo.display.tables import Best, Cell, Second
from tipr_zoo.leaderboard.marks import (
    ELSEWHERE,
    encoder,
    extra_data,
    marked_model,
    notes,
    published,
    ranks_by,
    zoo_name,
)
from tipr_zoo.leaderboard.published_rows import published_rows
from tipr_zoo.leaderboard.ranks import RULE
from tipr_zoo.leaderboard.row import LeaderboardRow
from tipr_zoo.leaderboard.sections import Section, Sources, leaderboard_sections

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "§": r"\S{}",
    "°": r"\textdegree{}",
    "≠": r"$\neq$",
    "±": r"$\pm$",
    "¶": r"\P{}",
    "¹": r"$^{1}$",
}
_ESCAPE = str.maketrans(_ESCAPED)

_LIGATURE = re.compile(r"(?<=[-'`,?!])(?=[-'`,])")
"""Places where LaTeX would join two characters to one, e.g. the hyphens of ``--data``."""

_OPTION = re.compile(r"(?=[\[*])")
"""Characters that LaTeX reads as an option of the line end or rule above, when a line of a table begins with one."""


def latex_leaderboard(rows: Sequence[LeaderboardRow]) -> str:
    """Return one ``table`` a section, then notes with the sources. It compiles with booktabs alone.

    Args:
        rows: As `tipr_zoo.leaderboard.rows.leaderboard_rows` sorts them.
    """
    sources, rows = Sources(), published_rows(rows)
    tables = [_table(section, sources) for section in leaderboard_sections(rows)]
    lines = [f"Bold is best, underlined second best. {RULE}", *notes(rows)]
    lines += [f"[{number}] {text}" for number, text in sources.items()]
    head = r"% needs \usepackage{booktabs}, and \usepackage[T1]{fontenc} where it is not LuaLaTeX or XeLaTeX"
    # Long addresses may break after a slash. The braces keep a bracket from being read as an argument.
    closing = "\n\n".join(rf"\noindent {{}}{escape(line)}".replace("/", r"/\allowbreak{}") for line in lines)
    return "\n\n".join([head, *tables, rf"{{\footnotesize\raggedright {closing}\par}}"])


def escape(text: str) -> str:
    """Return LaTeX that prints `text` letter by letter, in one line and without control characters.

    >>> escape("50 % of R&D")
    '50 \\\\% of R\\\\&D'
    """
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return _LIGATURE.sub("{}", line.translate(_ESCAPE))


def _table(section: Section, sources: Sources) -> str:
    rows = [entry.row for entry in section.entries]
    facts = {"Encoder": encoder, "Ranks by": ranks_by, "Published": published}
    if any(row.method.has_extra_data for row in rows):
        facts = {"Encoder": encoder, "Ranks by": ranks_by, "Data": extra_data, "Published": published}
    shown = {
        metric: number
        for number, metric in enumerate(METRICS)
        if any(metric in row.metrics for entry in section.entries for row in (entry.row, *entry.contradicting))
    }
    columns = ["Model", *shown, *facts, "Origin"]
    lines: list[list[Cell]] = []
    for entry, figures in zip(section.entries, section.figures, strict=True):
        row = entry.row
        origin = f"{row.origin} {sources.numbers(entry.agreeing)}"
        lines.append(
            [marked_model(row), *(figures[i] for i in shown.values()), *(f(row) for f in facts.values()), origin]
        )
        if name := zoo_name(row):
            spread = row.spread or {}
            deviations = [f"±{spread[metric]:.2f}" if metric in spread else "" for metric in shown]
            lines.append([f"({name})", *deviations, *([""] * (len(facts) + 1))])
        for other in entry.contradicting:
            values = [other.metrics.get(metric) for metric in shown]
            origin = f"{other.origin} {sources.numbers([other])}"
            lines.append([ELSEWHERE, *values, *([""] * len(facts)), origin])
    kinds = "l" + "r" * len(shown) + "l" * (len(columns) - 1 - len(shown))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\footnotesize\setlength{\tabcolsep}{2.5pt}",
            rf"\caption{{{escape(section.title)}}}",
            rf"\begin{{tabular}}{{{kinds}}}",
            r"\toprule",
            " & ".join(columns) + r" \\",
            r"\midrule",
            *(_line(line) for line in lines),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _line(cells: Sequence[Cell]) -> str:
    line = " & ".join(map(_cell, cells)) + r" \\"
    return f"{{}}{line}" if _OPTION.match(line) else line


def _cell(cell: Cell) -> str:
    if isinstance(cell, Best):
        return rf"\textbf{{{cell.value:.2f}}}"
    if isinstance(cell, Second):
        return rf"\underline{{{cell.value:.2f}}}"
    if isinstance(cell, float):
        return f"{cell:.2f}"
    return escape(str(cell or ""))
