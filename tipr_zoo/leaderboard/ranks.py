"""The best and the second best figure of every metric among rows that may be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tipr_zoo.cards.record import METRICS
from tipr_zoo.leaderboard.row import LeaderboardRow, comparison_group

BEST, SECOND = 1, 2

RULE = (
    "Figures are compared among rows of the same data set, split, arguments and direction that are of one kind: with"
    " or without extra person data, with or without more than its encoders at test time, with an encoder up to base"
    " size or a larger one. The best is marked of at least two different figures, the second best of at least three;"
    " equal figures share a mark. A measured figure is marked only where it leads by more than its standard deviation"
    " over seeds of training, so that one whose deviation is not known leads without a mark."
)
"""The rule of `figure_ranks`, in words."""


def figure_ranks(rows: Sequence[LeaderboardRow]) -> list[dict[str, int]]:
    """Find the best and second best figures.

    Args:
        rows: Rows of one or several groups, in any order.

    Returns:
        For each row, the metrics that are `BEST` or `SECOND` of its group. Figures are compared at two digits, as they
        are shown.
    """
    ranks: list[dict[str, int]] = [{} for _ in rows]
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        groups[comparison_group(row)].append(number)
    for members in groups.values():
        for metric in METRICS:
            with_figure = [i for i in members if metric in rows[i].metrics]
            marked = _marked_values([rows[i] for i in with_figure], metric)
            for i in with_figure:
                if rank := marked.get(round(rows[i].metrics[metric], 2)):
                    ranks[i][metric] = rank
    return ranks


def _marked_values(rows: Iterable[LeaderboardRow], metric: str) -> dict[float, int]:
    """Return the rank of the one or two highest figures that lead by more than the spread of seeds."""
    holders: defaultdict[float, list[LeaderboardRow]] = defaultdict(list)
    for row in rows:
        holders[round(row.metrics[metric], 2)].append(row)
    ordered = sorted(holders, reverse=True)
    marked: dict[float, int] = {}
    for rank, (value, below) in enumerate(pairwise(ordered[:3]), start=BEST):
        if value - below <= _spread(holders[value], holders[below], metric):
            break
        marked[value] = rank
    return marked


def _spread(leading: Iterable[LeaderboardRow], below: Iterable[LeaderboardRow], metric: str) -> float:
    """Return by how many points a figure must lead, beyond which it is no chance of the seed."""
    needed = [(row.spread or {}).get(metric, float("inf")) for row in leading if row.is_measured]
    needed += [(row.spread or {}).get(metric, 0.0) for row in below if row.is_measured]
    return max(needed, default=0.0)
