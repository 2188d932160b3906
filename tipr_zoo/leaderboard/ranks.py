"""The best and the second best figure of every metric among rows that may be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from tipr_zoo.cards.record import METRICS
from tipr_zoo.leaderboard.rows import LeaderboardRow, comparison_group

BEST, SECOND = 1, 2

RULE = (
    "Figures are compared among rows of the same data set, split, arguments and direction; rows that name extra person"
    " data in pretraining only among themselves. The best is marked of at least two different figures, the second best"
    " of at least three; equal figures share a mark."
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
    in_groups = sorted(range(len(rows)), key=lambda i: comparison_group(rows[i]))
    for _, group in groupby(in_groups, lambda i: comparison_group(rows[i])):
        members = list(group)
        for metric in METRICS:
            marked = _marked_values(rows[i].metrics[metric] for i in members if metric in rows[i].metrics)
            for i in members:
                value = rows[i].metrics.get(metric)
                if value is not None and (rank := marked.get(round(value, 2))):
                    ranks[i][metric] = rank
    return ranks


def _marked_values(values: Iterable[float]) -> dict[float, int]:
    """Return the rank of the one or two highest of the values."""
    ordered = sorted({round(value, 2) for value in values}, reverse=True)
    return dict(zip(ordered[: len(ordered) - 1], (BEST, SECOND), strict=False))
