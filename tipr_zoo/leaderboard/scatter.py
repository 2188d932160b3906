"""R1 over the years as a picture that stands in the page, without a script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tipr_zoo.leaderboard.marks import published, weights
from tipr_zoo.leaderboard.row import LeaderboardRow, kind_of

LEAST = 8
"""Fewer points than this say nothing that the table does not."""

_WIDTH, _HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 16, 12, 30
_GOLDEN = 0.618034
"""Spreads points of one year over its width, so that neighbours are far apart."""


def scatter(rows: Sequence[tuple[LeaderboardRow, str]]) -> str:
    """Return a figure with a point for each model. Empty where fewer than `LEAST` have a year.

    A point is filled where weights can be had, and has a ring where the epoch was chosen on the test split. It leads to
    its row.

    Args:
        rows: The models, each with the anchor of its row.
    """
    known = [(row, anchor) for row, anchor in rows if row.paper and row.paper.year and "R1" in row.metrics]
    published_ones = [(row, anchor) for row, anchor in known if not row.is_measured]
    if len(published_ones) < LEAST:
        return ""
    years = sorted({_year(row) for row, _ in published_ones})
    values = [row.metrics["R1"] for row, _ in published_ones]
    low, high = 5 * (min(values) // 5), 5 * (max(values) // 5 + 1)
    frame = _Frame(years[0], years[-1], low, high)
    points = []
    for year in years:
        of_year = sorted(
            (pair for pair in published_ones if _year(pair[0]) == year), key=lambda pair: pair[0].metrics["R1"]
        )
        for number, (row, anchor) in enumerate(of_year):
            points.append(_point(frame, row, anchor, (number * _GOLDEN) % 1.0, is_best=number == len(of_year) - 1))
    left_out = len(rows) - len(published_ones)
    said = f" {left_out} rows without a known year are not shown." if left_out else ""
    label = f"R1 of {len(published_ones)} models by the year of their paper"
    return f"""<figure class="scatter">
<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">
{frame.axes()}
{"".join(points)}
</svg>
<figcaption>R1 by the year of the paper. <span class="key had">●</span> weights can be had,
<span class="key">○</span> not; <span class="key ring">◎</span> the epoch was chosen on the test split;
<span class="key extra-point">●</span> with extra person data,
<span class="key plain-point">●</span> without.{said}</figcaption>
</figure>"""


def _year(row: LeaderboardRow) -> int:
    return row.paper.year if row.paper and row.paper.year else 0


class _Frame:
    """The scales of the picture."""

    def __init__(self, first: int, last: int, low: float, high: float) -> None:
        self.first, self.last, self.low, self.high = first, last, low, high

    def x(self, year: float) -> float:
        """Return where a year begins."""
        return _LEFT + (year - self.first) / (self.last + 1 - self.first) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Return where a figure lies."""
        return _HEIGHT - _BOTTOM - (value - self.low) / (self.high - self.low) * (_HEIGHT - _TOP - _BOTTOM)

    def axes(self) -> str:
        """Return lines and numbers of both axes."""
        lines = []
        step = 5 if self.high - self.low <= 40 else 10
        value = self.low
        while value <= self.high:
            y = f"{self.y(value):.1f}"
            lines.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
            lines.append(f'<text x="{_LEFT - 8}" y="{y}" class="tick end">{value:.0f}</text>')
            value += step
        for year in range(self.first, self.last + 1):
            x = f"{self.x(year + 0.5):.1f}"
            lines.append(f'<text x="{x}" y="{_HEIGHT - 8}" class="tick middle">{year}</text>')
        return "".join(lines)


def _point(frame: _Frame, row: LeaderboardRow, anchor: str, place: float, is_best: bool) -> str:
    x, y = frame.x(_year(row) + 0.12 + 0.76 * place), frame.y(row.metrics["R1"])
    can_be_had = weights(row) in ("yes", "by name")
    kind = "extra-point" if kind_of(row).has_extra_data else "plain-point"
    ring = f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="7.5"/>' if row.selected_on == "test" else ""
    is_left = x < _WIDTH * 0.75
    label = (
        f'<text class="name-label{"" if is_left else " end"}" x="{x + (11 if is_left else -11):.1f}" y="{y:.1f}">'
        f"{escape(row.name)}</text>"
        if is_best
        else ""
    )
    words = f"{row.name}: R1 {row.metrics['R1']:.2f}, {published(row)}"
    return (
        f'<a href="#{anchor}" class="{kind}{" had" if can_be_had else ""}"><title>{escape(words)}</title>{ring}'
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>{label}</a>'
    )
