"""The supersampled canvas: projection of body points, and tubes with a rounded shading."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from tipr_zoo.synthpedes.palette import Colour
from tipr_zoo.synthpedes.pose import Point3

SCALE = 4  # supersampling in each direction
Point = tuple[float, float]


@dataclass(frozen=True)
class Projection:
    """A camera that looks slightly down at a person turned by a yaw.

    Attributes:
        yaw: Radians; 0 faces the camera.
        tilt: Sine of the camera's downward angle.
        height: Pixels of a body height on the supersampled canvas.
        squeeze: Factor of the width, as when a wider crop is resized to 3:1.
        x, y: Where the point between the feet lies on the canvas.
    """

    yaw: float
    tilt: float
    height: float
    squeeze: float
    x: float
    y: float

    def depth(self, point: Point3) -> float:
        """How far in front of the body's axis a point lies, in body heights."""
        return point[2] * math.cos(self.yaw) - point[0] * math.sin(self.yaw)

    def __call__(self, point: Point3) -> Point:
        """The point on the canvas, in pixels."""
        across = point[0] * math.cos(self.yaw) + point[2] * math.sin(self.yaw)
        down = self.tilt * self.depth(point) - point[1]
        return self.x + self.height * self.squeeze * across, self.y + self.height * down

    def half_width(self, lateral: float, deep: float) -> float:
        """Half the width in pixels of an upright elliptic section with these half-axes."""
        wide = math.hypot(lateral * math.cos(self.yaw), deep * math.sin(self.yaw))
        return self.height * self.squeeze * wide

    def across(self, azimuth: float, lateral: float, deep: float) -> float | None:
        """Where an azimuth of a section shows between its left edge (-1) and its right edge (1); None if it is hidden.

        Args:
            azimuth: Degrees from the front, positive to the person's left.
            lateral: Half-axis of the section from side to side.
            deep: Half-axis from back to front.
        """
        angle = math.radians(azimuth)
        point = (lateral * math.sin(angle), 0.0, deep * math.cos(angle))
        right = math.atan2(lateral * math.cos(self.yaw), deep * math.sin(self.yaw))
        if math.cos(angle - right + math.pi / 2) < 0:
            return None
        wide = math.hypot(lateral * math.cos(self.yaw), deep * math.sin(self.yaw))
        return (point[0] * math.cos(self.yaw) + point[2] * math.sin(self.yaw)) / wide


class Tube:
    """A rounded body part: sections from one end to the other, each a centre and a half-width vector.

    `point(v, u)` is a place on it: v runs from 0 at the first section to 1 at the last, u from -1 to 1 across.
    """

    def __init__(self, centres: Sequence[Point], spans: Sequence[Point]) -> None:
        self.centres = centres
        self.spans = spans

    def point(self, v: float, u: float) -> Point:
        """The place at v along and u across, in pixels."""
        place = min(max(v, 0.0), 1.0) * (len(self.centres) - 1)
        step = min(int(place), len(self.centres) - 2)
        part = place - step
        (x0, y0), (x1, y1) = self.centres[step], self.centres[step + 1]
        (dx0, dy0), (dx1, dy1) = self.spans[step], self.spans[step + 1]
        x = x0 + (x1 - x0) * part + u * (dx0 + (dx1 - dx0) * part)
        y = y0 + (y1 - y0) * part + u * (dy0 + (dy1 - dy0) * part)
        return x, y

    def band(self, left: float = -1.0, right: float = 1.0) -> list[Point]:
        """The outline of the part between two places across."""
        pairs = list(zip(self.centres, self.spans, strict=True))
        first = [(c[0] + left * s[0], c[1] + left * s[1]) for c, s in pairs]
        second = [(c[0] + right * s[0], c[1] + right * s[1]) for c, s in reversed(pairs)]
        return first + second

    def ring(self, top: float, bottom: float, left: float = -1.0, right: float = 1.0, sag: float = 0.0) -> list[Point]:
        """The outline of a piece between two places along and two across; `sag` bends it around the body, in pixels."""
        places = [left + (right - left) * step / 6 for step in range(7)]
        upper = [self.point(top, u) for u in places]
        lower = [self.point(bottom, u) for u in places]
        if sag:
            upper = [(x, y + sag * (1 - u * u)) for (x, y), u in zip(upper, places, strict=True)]
            lower = [(x, y + sag * (1 - u * u)) for (x, y), u in zip(lower, places, strict=True)]
        return upper + lower[::-1]


class Canvas:
    """A picture at `SCALE` times its size, with opaque and translucent brushes and one direction of light.

    Args:
        picture: RGB, `SCALE` times the size of the picture to be.
        light: Where the light comes from across the picture, from -1 (left) to 1 (right).
        strength: How strong the shadows are, in alpha per layer.
    """

    def __init__(self, picture: Image.Image, light: float, strength: int) -> None:
        self.picture = picture
        self.light = light
        self.strength = strength
        self.opaque = ImageDraw.Draw(picture)
        self.clear = ImageDraw.Draw(picture, "RGBA")

    def fill(self, outline: Sequence[Point], colour: Colour) -> None:
        """An opaque polygon."""
        self.opaque.polygon(whole(outline), fill=colour)

    def veil(self, outline: Sequence[Point], colour: Colour, alpha: int) -> None:
        """A translucent polygon."""
        self.clear.polygon(whole(outline), fill=(*colour, alpha))

    def line(self, points: Sequence[Point], colour: Colour, width: int) -> None:
        """An opaque line with rounded joints."""
        self.opaque.line(whole(points), fill=colour, width=width, joint="curve")

    def oval(self, centre: Point, across: float, up: float, colour: Colour) -> None:
        """An opaque ellipse with these half-axes in pixels."""
        x, y = centre
        box = [round(x - across), round(y - up), round(x + across), round(y + up)]
        self.opaque.ellipse(box, fill=colour)

    def tube(self, tube: Tube, colour: Colour) -> None:
        """A tube in one colour; `shade` follows once its pattern is on it."""
        self.fill(tube.band(), colour)

    def shade(self, tube: Tube, weight: float = 1.0) -> None:
        """Lets the tube look round: the side away from the light darkens, a band towards it brightens."""
        alpha = max(1, round(self.strength * weight))
        away = -1 if self.light > 0 else 1
        lit = 0.25 + 0.45 * abs(self.light)
        for edge in (0.06, 0.26, 0.45, 0.62, 0.77, 0.9):
            self.veil(tube.band(min(away * edge, away), max(away * edge, away)), (8, 8, 16), alpha * 3 // 4)
        for edge in (0.7, 0.82, 0.92):
            self.veil(tube.band(min(-away * edge, -away), max(-away * edge, -away)), (8, 8, 16), alpha * 3 // 4)
        middle = -away * lit * 0.8
        for half in (0.36, 0.24, 0.12):
            self.veil(tube.band(middle - half, middle + half), (255, 252, 244), max(1, alpha // 3))


def whole(points: Sequence[Point]) -> list[tuple[int, int]]:
    """Whole pixels: what the last bits of a sine were can then no longer show."""
    return [(round(x), round(y)) for x, y in points]


def limb(points: Sequence[Point], radii: Sequence[float], *, round_start: bool = True, round_end: bool = True) -> Tube:
    """A tube along a bent line.

    Args:
        points: The joints, in pixels.
        radii: The half-width at each of them, in pixels.
        round_start: Whether the first end is round.
        round_end: Whether the last end is round.
    """
    normals = []
    for index in range(len(points)):
        (x0, y0), (x1, y1) = points[max(0, index - 1)], points[min(len(points) - 1, index + 1)]
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        # Across is always towards the right of the picture, so that light falls alike on every limb.
        nx, ny = (y1 - y0) / length, -(x1 - x0) / length
        normals.append((nx, ny) if y1 >= y0 else (-nx, -ny))
    centres: list[Point] = []
    spans: list[Point] = []

    def add(index: int, beyond: float, wide: float) -> None:
        (nx, ny), radius = normals[index], radii[index]
        ahead = 1 if index else -1
        (x0, y0), (x1, y1) = points[index - ahead], points[index]
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        step = beyond * radius / length
        centres.append((points[index][0] + (x1 - x0) * step, points[index][1] + (y1 - y0) * step))
        spans.append((nx * radius * wide, ny * radius * wide))

    caps = ((0.98, 0.2), (0.8, 0.6), (0.45, 0.89))
    if round_start:
        for beyond, wide in caps:
            add(0, beyond, wide)
    for index in range(len(points)):
        centres.append(points[index])
        spans.append((normals[index][0] * radii[index], normals[index][1] * radii[index]))
    if round_end:
        for beyond, wide in reversed(caps):
            add(len(points) - 1, beyond, wide)
    return Tube(centres, spans)


def between(first: Point3, second: Point3, part: float) -> Point3:
    """The point a part of the way from the first to the second."""
    x, y, z = (a + (b - a) * part for a, b in zip(first, second, strict=True))
    return x, y, z
