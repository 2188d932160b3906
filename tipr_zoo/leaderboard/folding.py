"""Several sources of one model: whether they contradict each other, and which of them has the row.

Every source keeps its own row in files for programs. What people read has one row a model, below which those sources
stand that contradict it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from tipr_zoo.cards.record import METRICS
from tipr_zoo.leaderboard.row import LeaderboardRow, comparison_group

SAME = 0.1
"""Points by which two sources may differ and still print the same figure. The last digit is often rounded twice."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Entry:
    """One model as people read it.

    Attributes:
        row: The row of its first source. Figures that this one lacks come from `agreeing` ones of the same origin.
        agreeing: The rows of the sources that print the same figures, the first one included.
        contradicting: The rows of the others.
    """

    row: LeaderboardRow
    agreeing: tuple[LeaderboardRow, ...]
    contradicting: tuple[LeaderboardRow, ...] = ()


def with_conflicts(rows: Iterable[LeaderboardRow]) -> list[LeaderboardRow]:
    """Fill in `disagrees_on` of published rows: the metrics of which two sources are further apart than `SAME`."""
    rows = list(rows)
    figures: defaultdict[Hashable, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for metric, value in row.metrics.items():
            figures[_thing(row)][metric].append(value)
    return [
        row
        if row.is_measured
        else replace(row, disagrees_on=tuple(m for m in row.metrics if _is_disputed(figures[_thing(row)][m])))
        for row in rows
    ]


def with_sources_together(rows: Sequence[LeaderboardRow], sort: str) -> list[LeaderboardRow]:
    """Return the rows of each comparison group, the best model first, and behind it its further sources.

    The first source is one that was read, before one that a third party read; one that reports, before one that
    reproduced; then the one that the card or reference names first.

    Args:
        rows: The rows in the order in which cards and references name them.
        sort: The metric to sort by. Models without it come last.
    """
    by_thing: defaultdict[Hashable, list[LeaderboardRow]] = defaultdict(list)
    for row in rows:
        by_thing[(comparison_group(row), _thing(row))].append(row)
    sources = [
        sorted(same, key=lambda row: (row.secondary, row.origin != "reported" and not row.is_measured))
        for same in by_thing.values()
    ]
    sources.sort(key=lambda same: (-_entry(same).row.metrics.get(sort, -1.0), same[0].name, same[0].model))
    return [replace(row, is_further=number > 0) for same in sources for number, row in enumerate(same)]


def entries(rows: Iterable[LeaderboardRow]) -> list[Entry]:
    """Return what people read of rows that `with_sources_together` has put in order."""
    groups: list[list[LeaderboardRow]] = []
    for row in rows:
        if row.is_further and groups:
            groups[-1].append(row)
        else:
            groups.append([row])
    return [_entry(same) for same in groups]


def _entry(same: Sequence[LeaderboardRow]) -> Entry:
    first = same[0]
    agreeing = tuple(row for row in same if _agree(first, row))
    metrics = dict(first.metrics)
    for row in agreeing:
        metrics |= {m: v for m, v in row.metrics.items() if m not in metrics and row.origin == first.origin}
    row = replace(first, metrics={metric: metrics[metric] for metric in METRICS if metric in metrics})
    return Entry(row, agreeing, tuple(row for row in same if row not in agreeing))


def _thing(row: LeaderboardRow) -> Hashable:
    """Return what the sources of one model share. Every measured row stands for itself."""
    own = id(row) if row.is_measured else None
    return row.model, row.rerank, comparison_group(row), own


def _agree(first: LeaderboardRow, second: LeaderboardRow) -> bool:
    shared = first.metrics.keys() & second.metrics.keys()
    return not any(_is_disputed([first.metrics[metric], second.metrics[metric]]) for metric in shared)


def _is_disputed(values: Sequence[float]) -> bool:
    return max(values) - min(values) > SAME + _ROUNDING
