"""Drawing curves over epochs: panels side by side, with the names of the curves at their ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from PIL import Image, ImageDraw

from tipr_zoo.display.drawn_text import INK, PALE_INK, PAPER, Font, page_font

_WIDTH, _HEIGHT = 620, 330
_COLUMNS = 2
_MARGIN, _HEAD = 24, 62
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 178, 40, 40
_GRID, _AXIS = (232, 234, 238), (150, 156, 164)
_COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (120, 94, 60))
_FINE = 2
"""Lines are drawn so many times larger, then shrunk, which smooths them."""

_LABEL_HEIGHT, _MOST_LABEL = 15, 15
_MOST_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """One line.

    Attributes:
        name: What stands at its end.
        points: (epoch, value) in the order of the epochs, all finite.
        is_main: Whether it is the one that matters most; it is drawn thicker.
        ringed: The epoch whose point has a ring around it; None for no ring.
    """

    name: str
    points: Sequence[tuple[float, float]]
    is_main: bool = False
    ringed: float | None = None


@dataclass(frozen=True)
class Panel:
    """Curves that share an axis.

    Attributes:
        title: What is shown.
        curves: The lines; those without points are left out.
        if_empty: What stands there as long as there is no point at all.
        digits: Decimal places of the values at the ends of lines; None for three significant digits.
    """

    title: str
    curves: Sequence[Curve]
    if_empty: str = "nothing yet"
    digits: int | None = None


def draw_curves(title: str, panels: Sequence[Panel]) -> Image.Image:
    """Draw panels of curves, two side by side.

    Args:
        title: The line above all of them.
        panels: At least one.

    Returns:
        An RGB picture.
    """
    rows = math.ceil(len(panels) / _COLUMNS)
    columns = min(_COLUMNS, len(panels))
    size = (2 * _MARGIN + columns * _WIDTH, _HEAD + rows * _HEIGHT + _MARGIN)
    epochs = [epoch for panel in panels for curve in panel.curves for epoch, _ in curve.points] or [1.0]
    first, last = min(epochs), max(epochs)
    if first == last:
        first, last = first - 0.5, last + 0.5
    shown = [
        _Shown(panel, (_MARGIN + i % _COLUMNS * _WIDTH, _HEAD + i // _COLUMNS * _HEIGHT), (first, last))
        for i, panel in enumerate(panels)
    ]
    fine = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), PAPER)
    draw = ImageDraw.Draw(fine)
    for each in shown:
        each.draw_lines(draw)
    sheet = fine.reduce(_FINE)
    draw = ImageDraw.Draw(sheet)
    font = _font(18)
    draw.text((_MARGIN + 8, 22), _cut(title, font, size[0] - 2 * _MARGIN - 16), font=font, fill=INK)
    for each in shown:
        each.write_texts(draw)
    return sheet


class _Shown:
    """A panel at its place, with the range of its axes."""

    def __init__(self, panel: Panel, place: tuple[int, int], epochs: tuple[float, float]) -> None:
        self.panel = panel
        self.curves = [replace(curve, points=_thinned(curve.points)) for curve in panel.curves if curve.points]
        self.left, self.top = place[0] + _LEFT, place[1] + _TOP
        self.right, self.bottom = place[0] + _WIDTH - _RIGHT, place[1] + _HEIGHT - _BOTTOM
        self.first, self.last = epochs
        values = [value for curve in self.curves for _, value in curve.points] or [0.0, 1.0]
        self.ticks = _ticks(min(values), max(values))
        self.low, self.high = min(self.ticks[0], min(values)), max(self.ticks[-1], max(values))

    def x(self, epoch: float) -> float:
        """Return where an epoch is, in pixels."""
        return self.left + (epoch - self.first) / (self.last - self.first) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Return where a value is, in pixels."""
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)

    def draw_lines(self, draw: ImageDraw.ImageDraw) -> None:
        """Draw the grid and the curves, on a sheet that is `_FINE` times larger."""
        if not self.curves:
            return
        for tick in self.ticks:
            self._line(draw, [(self.left, self.y(tick)), (self.right, self.y(tick))], _GRID, 1)
        self._line(draw, [(self.left, self.bottom), (self.right, self.bottom)], _AXIS, 1)
        for number, curve in reversed(list(enumerate(self.curves))):
            places = [(self.x(epoch), self.y(value)) for epoch, value in curve.points]
            colour, width = _colour(number), 3 if curve.is_main else 2
            if len(places) > 1:
                self._line(draw, places, colour, width)
            if len(places) <= 20:
                for place in places:
                    _dot(draw, place, 4 if curve.is_main else 3, colour)
        for curve in self.panel.curves:
            for epoch, value in curve.points:
                if epoch == curve.ringed:
                    _ring(draw, (self.x(epoch), self.y(value)), 7, INK)

    def write_texts(self, draw: ImageDraw.ImageDraw) -> None:
        """Write the title, the numbers of the axes and the names of the curves."""
        draw.text((self.left, self.top - 32), self.panel.title, font=_font(15), fill=INK)
        font = _font(12)
        if not self.curves:
            middle = ((self.left + self.right) / 2, (self.top + self.bottom) / 2)
            draw.text(middle, self.panel.if_empty, font=_font(14), fill=PALE_INK, anchor="mm")
            return
        for tick in self.ticks:
            draw.text((self.left - 8, self.y(tick)), f"{tick:.6g}", font=font, fill=PALE_INK, anchor="rm")
        for epoch in _whole_ticks(self.first, self.last):
            draw.text((self.x(epoch), self.bottom + 7), f"{epoch:g}", font=font, fill=PALE_INK, anchor="ma")
        draw.text((self.right + 26, self.bottom + 7), "epoch", font=font, fill=PALE_INK, anchor="la")
        self._write_names(draw, font)

    def _write_names(self, draw: ImageDraw.ImageDraw, font: Font) -> None:
        """Write names and last values beside the ends of the curves, none over another."""
        ends = sorted(range(len(self.curves)), key=lambda number: self.y(self.curves[number].points[-1][1]))
        if left_out := max(0, len(ends) - _MOST_LABEL):
            left_out += 1  # whose place the line with their number takes
            ends = [number for number in ends if number < len(self.curves) - left_out]
        wanted = [self.y(self.curves[number].points[-1][1]) for number in ends]
        more = int(left_out > 0)
        places = _apart(wanted, self.top, self.bottom - 7 - more * _LABEL_HEIGHT)
        for number, place in zip(ends, places, strict=True):
            curve = self.curves[number]
            value = _number(curve.points[-1][1], self.panel.digits)
            name = _cut(curve.name, font, _RIGHT - 26 - font.getlength(f"  {value}"))
            draw.text((self.right + 12, place), f"{name}  {value}", font=font, fill=_colour(number), anchor="lm")
        if left_out:
            draw.text((self.right + 12, self.bottom - 7), f"and {left_out} more", font=font, fill=PALE_INK, anchor="lm")

    def _line(
        self, draw: ImageDraw.ImageDraw, places: Sequence[tuple[float, float]], colour: tuple[int, int, int], width: int
    ) -> None:
        draw.line([(x * _FINE, y * _FINE) for x, y in places], fill=colour, width=width * _FINE, joint="curve")


@cache
def _font(size: int) -> Font:
    return page_font(size)


def _colour(number: int) -> tuple[int, int, int]:
    """Return the colour of a curve. Those of a second round are paler."""
    colour, turn = _COLOURS[number % len(_COLOURS)], min(2, number // len(_COLOURS))
    red, green, blue = (round(part + (255 - part) * 0.35 * turn) for part in colour)
    return red, green, blue


def _dot(draw: ImageDraw.ImageDraw, place: tuple[float, float], radius: int, colour: tuple[int, int, int]) -> None:
    x, y, reach = place[0] * _FINE, place[1] * _FINE, radius * _FINE
    draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)


def _ring(draw: ImageDraw.ImageDraw, place: tuple[float, float], radius: int, colour: tuple[int, int, int]) -> None:
    x, y, reach = place[0] * _FINE, place[1] * _FINE, radius * _FINE
    draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=_FINE)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most about `_MOST_POINTS` of the points, the last one among them."""
    step = max(1, math.ceil(len(points) / _MOST_POINTS))
    return [*points[:-1:step], points[-1]]


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers from below `low` to above `high`, and from 0 where 0 is near."""
    if 0 < low <= 0.6 * high:
        low = 0.0
    span = high - low
    if span <= 0:
        span = abs(high) or 1.0
        low, high = low - span / 2, high + span / 2
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(part * power for part in (1, 2, 2.5, 5, 10) if part * power >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _whole_ticks(first: float, last: float) -> list[float]:
    """Return some epochs between two."""
    step = 1
    while (last - first) / step > 8:
        step = step * 2 if str(step)[0] in "15" else step * 5 // 2
    return [float(epoch) for epoch in range(math.ceil(first / step) * step, math.floor(last) + 1, step)]


def _apart(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return places of lines of text near those that are wanted, from above to below, none over another."""
    places: list[float] = []
    for place in wanted:
        places.append(max(place, places[-1] + _LABEL_HEIGHT if places else top))
    limit = bottom
    for index in reversed(range(len(places))):
        places[index] = min(places[index], limit)
        limit = places[index] - _LABEL_HEIGHT
    return places


def _number(value: float, digits: int | None) -> str:
    return f"{value:.3g}" if digits is None else f"{value:.{digits}f}"


def _cut(text: str, font: Font, width: float) -> str:
    """Return a text, or as much of it as fits, with dots."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."
