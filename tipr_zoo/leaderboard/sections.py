"""The leaderboard as sections of rows that may be compared. The formats of plain reading use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tipr_zoo.cards.record import METRICS
from tipr_zoo.display.tables import Best, Cell, Second
from tipr_zoo.leaderboard.ranks import BEST, figure_ranks
from tipr_zoo.leaderboard.rows import LeaderboardRow, comparison_group


@dataclass(frozen=True)
class Section:
    """Rows of one `comparison_group`.

    Attributes:
        title: What the rows share, in words.
        rows: The rows.
        figures: The metrics of each row as cells. The best two of the section are marked.
    """

    title: str
    rows: list[LeaderboardRow]
    figures: list[list[Cell]]


def leaderboard_sections(rows: Sequence[LeaderboardRow]) -> list[Section]:
    """Cut the leaderboard into sections.

    Args:
        rows: As `tipr_zoo.leaderboard.rows.leaderboard_rows` sorts them.
    """
    sections = []
    for group, members in groupby(rows, comparison_group):
        *words, has_extra_data = group
        title = ", ".join([*filter(None, words), *(["with extra person data"] if has_extra_data else [])])
        of_group = list(members)
        ranks = figure_ranks(of_group)
        figures = [
            [_figure(row.metrics.get(metric), ranked.get(metric)) for metric in METRICS]
            for row, ranked in zip(of_group, ranks, strict=True)
        ]
        sections.append(Section(title, of_group, figures))
    return sections


def _figure(value: float | None, rank: int | None) -> Cell:
    if value is None or rank is None:
        return value
    return Best(value) if rank == BEST else Second(value)


class Sources:
    """Numbers for the sources of rows, in the order in which they are asked for."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, row: LeaderboardRow) -> int:
        """Return the number of a row's source, from 1."""
        return self._numbers.setdefault(source_text(row), len(self._numbers) + 1)

    def items(self) -> list[tuple[int, str]]:
        """Return every number with its source in words."""
        return [(number, text) for text, number in self._numbers.items()]


def source_text(row: LeaderboardRow) -> str:
    """Return the source in words, with its place. For a measured row: date, command and evaluation record."""
    if row.date is not None:
        return f"{row.date[:10]}, {row.source} (record: {row.source_url})"
    return f"{row.source}, {row.source_url}" if row.source_url else row.source
