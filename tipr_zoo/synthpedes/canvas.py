"""The supersampled canvas: the projection of body points, and tubes with rounded shading."""

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
    """A camera that looks slightly down at a person who is turned by a yaw.

    Attributes:
        yaw: The person's turn in radians; 0 faces the camera.
        tilt: Sine of the camera's downward angle.
        height: Pixels of a body height on the supersampled canvas.
        squeeze: Factor of the width. It is below 1 if a wider crop is resized to 3:1.
        x, y: Where the point between the feet lies on the canvas, in pixels.
    """

    yaw: float
    tilt: float
    height: float
    squeeze: float
    x: float
    y: float

    def depth(self, point: Point3) -> float:
        """Compute how far in front of the body's axis a point lies, in body heights."""
        return point[2] * math.cos(self.yaw) - point[0] * math.sin(self.yaw)

    def __call__(self, point: Point3) -> Point:
        """Project a point to the canvas, in pixels."""
        across = point[0] * math.cos(self.yaw) + point[2] * math.sin(self.yaw)
        down = self.tilt * self.depth(point) - point[1]
        return self.x + self.height * self.squeeze * across, self.y + self.height * down

    def half_width(self, lateral: float, deep: float) -> float:
        """Compute half the width in pixels of an upright elliptic section with these half-axes in body heights."""
        wide = math.hypot(lateral * math.cos(self.yaw), deep * math.sin(self.yaw))
        return self.height * self.squeeze * wide

    def across(self, azimuth: float, lateral: float, deep: float) -> float | None:
        """Compute where an azimuth of a section shows: -1 is its left edge, 1 its right edge. None if it is hidden.

        Args:
            azimuth: Degrees from the front, positive to the person's left.
            lateral: Half-axis of the section from side to side, in body heights.
            deep: Half-axis from back to front, in body heights.
        """
        angle = math.radians(azimuth)
        point = (lateral * math.sin(angle), 0.0, deep * math.cos(angle))
        right = math.atan2(lateral * math.cos(self.yaw), deep * math.sin(self.yaw))
        if math.cos(angle - right + math.pi / 2) < 0:
            return None
        wide = math.hypot(lateral * math.cos(self.yaw), deep * math.sin(self.yaw))
        return (point[0] * math.cos(self.yaw) + point[2] * math.sin(self.yaw)) / wide


class Tube:
    """A rounded body part: sections from one end to the other.

    `point(v, u)` is a place on it. v runs from 0 at the first section to 1 at the last one, u from -1 to 1 across.

    Args:
        centres: The centre of each section, in pixels.
        spans: The half-width of each section as a vector, in pixels.
    """

    def __init__(self, centres: Sequence[Point], spans: Sequence[Point]) -> None:
        self.centres = centres
        self.spans = spans

    def point(self, v: float, u: float) -> Point:
        """Compute the place at v along and u across, in pixels."""
        place = min(max(v, 0.0), 1.0) * (len(self.centres) - 1)
        step = min(int(place), len(self.centres) - 2)
        part = place - step
        (x0, y0), (x1, y1) = self.centres[step], self.centres[step + 1]
        (dx0, dy0), (dx1, dy1) = self.spans[step], self.spans[step + 1]
        x = x0 + (x1 - x0) * part + u * (dx0 + (dx1 - dx0) * part)
        y = y0 + (y1 - y0) * part + u * (dy0 + (dy1 - dy0) * part)
        return x, y

    def band(self, left: float = -1.0, right: float = 1.0) -> list[Point]:
        """Compute the outline of the part between two places across, each from -1 to 1."""
        pairs = list(zip(self.centres, self.spans, strict=True))
        first = [(c[0] + left * s[0], c[1] + left * s[1]) for c, s in pairs]
        second = [(c[0] + right * s[0], c[1] + right * s[1]) for c, s in reversed(pairs)]
        return first + second

    def ring(self, top: float, bottom: float, left: float = -1.0, right: float = 1.0, sag: float = 0.0) -> list[Point]:
        """Compute the outline of a piece of the tube, in pixels.

        Args:
            top: Where the piece begins along the tube, from 0 to 1.
            bottom: Where it ends along the tube, from 0 to 1.
            left: Where it begins across, from -1 to 1.
            right: Where it ends across, from -1 to 1.
            sag: How far it bends around the body, in pixels.
        """
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
        picture: RGB, `SCALE` times the size of the picture to draw.
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
        """Draw an opaque polygon."""
        self.opaque.polygon(whole(outline), fill=colour)

    def veil(self, outline: Sequence[Point], colour: Colour, alpha: int) -> None:
        """Draw a translucent polygon.

        Args:
            outline: Its corners, in pixels.
            colour: Its colour.
            alpha: Its opacity, from 0 to 255.
        """
        self.clear.polygon(whole(outline), fill=(*colour, alpha))

    def line(self, points: Sequence[Point], colour: Colour, width: int) -> None:
        """Draw an opaque line with rounded joints.

        Args:
            points: Its joints, in pixels.
            colour: Its colour.
            width: Its width, in pixels.
        """
        self.opaque.line(whole(points), fill=colour, width=width, joint="curve")

    def oval(self, centre: Point, across: float, up: float, colour: Colour) -> None:
        """Draw an opaque ellipse.

        Args:
            centre: Its centre, in pixels.
            across: Its half-axis across, in pixels.
            up: Its half-axis upwards, in pixels.
            colour: Its colour.
        """
        x, y = centre
        box = [round(x - across), round(y - up), round(x + across), round(y + up)]
        self.opaque.ellipse(box, fill=colour)

    def tube(self, tube: Tube, colour: Colour) -> None:
        """Draw a tube in one colour; `shade` follows after its pattern."""
        self.fill(tube.band(), colour)

    def shade(self, tube: Tube, weight: float = 1.0) -> None:
        """Make a tube look round: the side away from the light darkens, and a band towards the light brightens."""
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
    """Round to whole pixels, so that the last bits of a sine cannot show."""
    return [(round(x), round(y)) for x, y in points]


def limb(points: Sequence[Point], radii: Sequence[float], *, round_start: bool = True, round_end: bool = True) -> Tube:
    """Build a tube along a bent line.

    Args:
        points: The joints, in pixels.
        radii: The half-width at each joint, in pixels.
        round_start: Whether the first end is round.
        round_end: Whether the last end is round.
    """
    normals = []
    for index in range(len(points)):
        (x0, y0), (x1, y1) = points[max(0, index - 1)], points[min(len(points) - 1, index + 1)]
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        # Across is always towards the right of the picture. So light falls alike on every limb.
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
    """Compute the point on the way from one point to another.

    Args:
        first: The first point.
        second: The second point.
        part: How far on the way, from 0 (first) to 1 (second).
    """
    x, y, z = (a + (b - a) * part for a, b in zip(first, second, strict=True))
    return x, y, z
