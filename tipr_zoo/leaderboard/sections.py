"""The leaderboard as sections of rows that may be compared. The formats of plain reading use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from tipr_zoo.cards.record import METRICS
from tipr_zoo.display.tables import Best, Cell, Second
from tipr_zoo.leaderboard.folding import Entry, entries
from tipr_zoo.leaderboard.marks import (
    budget,
    code_license,
    embedding,
    encoder,
    epoch,
    extra_data,
    parameters,
    pictures,
    published,
    ranks_by,
    seconds,
    weights,
)
from tipr_zoo.leaderboard.ranks import BEST, figure_ranks
from tipr_zoo.leaderboard.row import LeaderboardRow, comparison_group

FURTHER: dict[str, Callable[[LeaderboardRow], str]] = {
    "encoder": encoder,
    "ranks by": ranks_by,
    "extra data": extra_data,
    "published": published,
    "weights": weights,
    "epoch chosen on": epoch,
    "code licence": code_license,
    "parameters": parameters,
    "embedding": embedding,
    "pictures": pictures,
    "seconds": seconds,
    "budget and spread": budget,
}
"""What is said of a model beside its figures, the most important first."""


@dataclass(frozen=True)
class Section:
    """Models of one `comparison_group`.

    Attributes:
        title: What the rows share, in words.
        entries: The models, each with its sources.
        figures: The metrics of each model as cells. The best two of the section are marked.
    """

    title: str
    entries: list[Entry]
    figures: list[list[Cell]]

    def further(self) -> dict[str, Callable[[LeaderboardRow], str]]:
        """Return those columns of `FURTHER` that say something of one of the models."""
        return {name: cell for name, cell in FURTHER.items() if any(cell(entry.row) for entry in self.entries)}


def leaderboard_sections(rows: Sequence[LeaderboardRow]) -> list[Section]:
    """Cut the leaderboard into sections.

    Args:
        rows: As `tipr_zoo.leaderboard.rows.leaderboard_rows` sorts them.
    """
    sections = []
    for group, members in groupby(entries(rows), lambda entry: comparison_group(entry.row)):
        *words, kind = group
        of_group = list(members)
        ranks = figure_ranks([entry.row for entry in of_group])
        figures = [
            [_figure(entry.row.metrics.get(metric), ranked.get(metric)) for metric in METRICS]
            for entry, ranked in zip(of_group, ranks, strict=True)
        ]
        sections.append(Section(", ".join([*filter(None, words), *kind.words()]), of_group, figures))
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

    def numbers(self, rows: Sequence[LeaderboardRow]) -> str:
        """Return the numbers of the sources of several rows, e.g. ``"[1,4]"``."""
        return f"[{','.join(str(self.number(row)) for row in rows)}]"

    def items(self) -> list[tuple[int, str]]:
        """Return every number with its source in words."""
        return [(number, text) for text, number in self._numbers.items()]


def source_text(row: LeaderboardRow) -> str:
    """Return the source in words, with its place. For a measured row: date, command and evaluation record."""
    if row.date is not None:
        return f"{row.date[:10]}, {row.source} (record: {row.source_url})"
    return f"{row.source}, {row.source_url}" if row.source_url else row.source
