"""R1 over the years as a picture that stands in the page, without a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tipr_zoo.leaderboard.marks import published, weights
from tipr_zoo.leaderboard.row import LeaderboardRow, kind_of

LEAST = 8
"""Fewer points than this say nothing that the table does not."""

_WIDTH, _HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 16, 12, 30
_LETTER = 6.2
"""About how wide a letter of a name is."""

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
    low, high = 5 * (min(values) // 5), 5 * ((max(values) + 2) // 5 + 1)  # with room for a name above the best
    frame = _Frame(years[0], years[-1], low, high)
    points = []
    for year in years:
        of_year = sorted(
            (pair for pair in published_ones if _year(pair[0]) == year), key=lambda pair: pair[0].metrics["R1"]
        )
        for number, (row, anchor) in enumerate(of_year):
            place = 0.12 + 0.76 * ((number * _GOLDEN) % 1.0)
            points.append(_Point(row, anchor, frame.x(year + place), frame.y(row.metrics["R1"])))
    labels = _labels(points)
    drawn = "".join(_drawn(point) + labels.get(point.anchor, "") + "</a>" for point in points)
    left_out = len(rows) - len(published_ones)
    said = f"<p>{left_out} without a known year are not shown.</p>" if left_out else ""
    label = f"R1 of {len(published_ones)} models by the year of their paper"
    return f"""<figure class="scatter">
<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group" aria-label="{label}">
{frame.axes()}
{drawn}
</svg>
<figcaption>R1 by the year of the paper. A point leads to its row.
<ul><li><span class="key">●</span> weights can be had, <span class="key">○</span> not</li>
<li><span class="key">◎</span> a ring: the epoch was chosen on the test split</li>
<li><span class="key extra-point">●</span> with extra person data,
<span class="key plain-point">●</span> without</li></ul>
{said}</figcaption>
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


@dataclass(frozen=True)
class _Point:
    row: LeaderboardRow
    anchor: str
    x: float
    y: float


def _labels(points: Sequence[_Point]) -> dict[str, str]:
    """Return the names of the best of each year and kind that have room beside, above or below their points.

    They are tried from the highest figure down, and one that would lie on another point or name is left out: its point
    tells it when it is pointed at.
    """
    best: dict[tuple[int, bool], _Point] = {}
    for point in points:
        key = (_year(point.row), kind_of(point.row).has_extra_data)
        best[key] = max(best.get(key, point), point, key=lambda one: one.row.metrics["R1"])
    taken = [(point.x - 8, point.y - 8, point.x + 8, point.y + 8) for point in points]
    labels = {}
    for point in sorted(best.values(), key=lambda one: -one.row.metrics["R1"]):
        width = _LETTER * len(point.row.name)
        places = {
            "": (point.x + 10, point.y),
            " end": (point.x - 10, point.y),
            " middle": (point.x, point.y - 16),
            " middle below": (point.x, point.y + 16),
        }
        for kind, (x, y) in places.items():
            left = x - width if kind == " end" else x - width / 2 if "middle" in kind else x
            box = (left, y - 7, left + width, y + 7)
            is_inside = left > _LEFT and left + width < _WIDTH and _TOP < y < _HEIGHT - _BOTTOM
            others = [each for each in taken if each != (point.x - 8, point.y - 8, point.x + 8, point.y + 8)]
            if is_inside and not any(_overlap(box, other) for other in others):
                taken.append(box)
                name = escape(point.row.name)
                labels[point.anchor] = f'<text class="name-label{kind}" x="{x:.1f}" y="{y:.1f}">{name}</text>'
                break
    return labels


def _overlap(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _drawn(point: _Point) -> str:
    """Return a point as a link that is not closed yet."""
    row = point.row
    kind = "extra-point" if kind_of(row).has_extra_data else "plain-point"
    had = " had" if weights(row) in ("yes", "by name") else ""
    at = f'cx="{point.x:.1f}" cy="{point.y:.1f}"'
    ring = f'<circle class="ring" {at} r="7.5"/>' if row.selected_on == "test" else ""
    words = escape(f"{row.name}: R1 {row.metrics['R1']:.2f}, {published(row)}")
    return (
        f'<a href="#{point.anchor}" class="{kind}{had}"><title>{words}</title>{ring}<circle class="dot" {at} r="4.5"/>'
    )
