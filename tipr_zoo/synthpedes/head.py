"""The head: face, hair and glasses, from any side."""

from __future__ import annotations

import math

from tipr_zoo.synthpedes.body import Figure
from tipr_zoo.synthpedes.canvas import Point, Tube, limb
from tipr_zoo.synthpedes.identity import NONE
from tipr_zoo.synthpedes.palette import mixed, scaled

WIDE, DEEP, TALL = 0.046, 0.055, 0.07  # half-axes of the head in body heights


class HeadMap:
    """A map from a place on the head to the picture.

    A place is an azimuth in degrees from the nose, and a height from -1 (chin) to 1 (crown).

    Args:
        figure: The figure.
    """

    def __init__(self, figure: Figure) -> None:
        self.project = figure.project
        self.centre = figure.project(figure.skeleton["head"])
        self.across = figure.project.half_width(WIDE, DEEP)
        self.up = figure.pixels(TALL)

    def width(self, height: float) -> float:
        """Compute half the width of the head at a height, in pixels; the jaw is narrower than the brow."""
        jaw = 1.0 - 0.22 * height * height if height < 0 else 1.0
        return self.across * math.sqrt(max(0.0, 1 - height * height)) * jaw

    def place(self, azimuth: float, height: float) -> tuple[Point, bool]:
        """Compute the pixel of a place, and whether the place is seen; a hidden place moves to the edge of the head."""
        seen = self.project.across(azimuth, WIDE, DEEP)
        if seen is None:
            angle = math.radians(azimuth)
            screen = math.sin(angle) * math.cos(self.project.yaw) + math.cos(angle) * math.sin(self.project.yaw)
            u = 1.0 if screen > 0 else -1.0
        else:
            u = seen
        x, y = self.centre
        return (x + u * self.width(height), y - height * self.up), seen is not None

    def outline(self, grow: float, low: float = -1.0, high: float = 1.0) -> list[Point]:
        """Compute the outline of the head between two heights, in pixels.

        Args:
            grow: Factor of its size.
            low: The lower height, from -1 (chin) to 1 (crown).
            high: The upper height, from -1 (chin) to 1 (crown).
        """
        heights = [high + (low - high) * step / 12 for step in range(13)]
        x, y = self.centre
        right = [(x + self.width(h) * grow, y - h * self.up * grow) for h in heights]
        left = [(x - self.width(h) * grow, y - h * self.up * grow) for h in heights]
        return right + left[::-1]


def draw_head(figure: Figure) -> None:
    """Draw skull, hair and face; hats come later."""
    head = HeadMap(figure)
    canvas, skin, hair = figure.canvas, figure.colours["skin"], figure.colours["hair"]
    style = figure.identity.hair_style
    skull = Tube(*sections(head, 1.0))
    canvas.fill(head.outline(1.0), skin)
    if style != "bald":
        grow = {"curly": 1.24, "long": 1.1, "bob": 1.13}.get(style, 1.07)
        low = {"long": -1.0, "bob": -0.78, "curly": -0.5}.get(style, -0.42)
        canvas.fill(head.outline(grow, low / grow), hair)
        if style == "curly":
            draw_curls(figure, head, grow)
    draw_ears(figure, head)
    draw_face(figure, head)
    canvas.shade(skull, 0.9)
    if style != "bald":
        draw_shine(figure, head)
    if style == "bun":
        x, y = head.place(180, 0.75)[0]
        canvas.oval((x, y - head.up * 0.38), head.up * 0.34, head.up * 0.3, scaled(hair, 90))
        canvas.oval((x - canvas.light * 2, y - head.up * 0.44), head.up * 0.24, head.up * 0.2, hair)


def sections(head: HeadMap, grow: float) -> tuple[list[Point], list[Point]]:
    """Compute centres and half-widths of the head from the crown to the chin, in pixels."""
    heights = [0.98, 0.85, 0.6, 0.3, 0.0, -0.3, -0.6, -0.85, -0.98]
    x, y = head.centre
    centres = [(x, y - h * head.up * grow) for h in heights]
    return centres, [(head.width(h) * grow, 0.0) for h in heights]


def draw_face(figure: Figure, head: HeadMap) -> None:
    """Draw the skin between hairline and chin, with the eyes, nose, mouth and glasses that show."""
    canvas, skin = figure.canvas, figure.colours["skin"]
    style = figure.identity.hair_style
    if style == "bald":
        return draw_features(figure, head)
    jaw = 78 if style in ("long", "bob") else 86
    left, right = [], []
    for height, azimuth in ((0.54, 34), (0.44, 58), (0.15, 68), (-0.15, 72), (-0.35, jaw), (-0.7, jaw), (-0.98, jaw)):
        places = [head.place(turn, height) for turn in range(-azimuth, azimuth + 1, 4)]
        seen = [point for point, is_seen in places if is_seen]
        if len(seen) > 1:
            left.append(min(seen))
            right.append(max(seen))
    if len(left) > 2:
        canvas.fill(right + left[::-1], skin)
    return draw_features(figure, head)


def draw_features(figure: Figure, head: HeadMap) -> None:
    """Draw eyes, brows, nose, mouth and glasses."""
    canvas, skin = figure.canvas, figure.colours["skin"]
    unit = head.up / 20
    nose, nose_seen = head.place(0, -0.18)
    if nose_seen:
        facing = abs(nose[0] - head.centre[0]) / max(1.0, head.across)
        ahead = 1 if nose[0] > head.centre[0] else -1
        tip = nose[0] + ahead * facing * 3.2 * unit
        canvas.fill(
            [(nose[0] - unit, nose[1] - 5 * unit), (tip + unit, nose[1]), (tip - unit * 2, nose[1] + unit)],
            scaled(skin, 92 if facing < 0.7 else 99),
        )
    for azimuth in (-27, 27):
        (x, y), seen = head.place(azimuth, 0.06)
        if seen and abs(x - head.centre[0]) < head.width(0.06) * 0.93:
            canvas.oval((x, y), 2.3 * unit, 1.2 * unit, scaled(skin, 115))
            canvas.oval((x, y), 1.4 * unit, 1.5 * unit, (34, 28, 26))
            brow = mixed(figure.colours["hair"], skin, 30)
            canvas.line([(x - 3 * unit, y - 3.4 * unit), (x + 3 * unit, y - 3.6 * unit)], brow, round(1.4 * unit))
    (x, y), seen = head.place(0, -0.56)
    if seen:
        half = 3.4 * unit * max(0.3, 1 - abs(x - head.centre[0]) / head.across)
        lips = mixed(skin, (150, 40, 46), 55 if figure.identity.gender == "woman" else 30)
        canvas.line([(x - half, y), (x + half, y)], lips, max(2, round(1.8 * unit)))
    if figure.identity.glasses:
        draw_glasses(figure, head)


def draw_glasses(figure: Figure, head: HeadMap) -> None:
    """Draw dark frames with a temple to the ear."""
    canvas, unit = figure.canvas, head.up / 20
    dark = (26, 26, 32)
    for azimuth in (-28, 28):
        (x, y), seen = head.place(azimuth, 0.05)
        if not seen:
            continue
        narrow = max(0.4, 1 - (abs(x - head.centre[0]) / head.across) ** 2)
        canvas.oval((x, y), 4.8 * unit * narrow, 3.9 * unit, dark)
        canvas.oval((x, y), 3.2 * unit * narrow, 2.4 * unit, (150, 160, 168))
        temple, temple_seen = head.place(85 if azimuth > 0 else -85, 0.08)
        if temple_seen:
            canvas.line([(x, y - unit), temple], dark, max(2, round(1.4 * unit)))
    bridge, seen = head.place(0, 0.1)
    if seen:
        canvas.line([(bridge[0] - 3 * unit, bridge[1]), (bridge[0] + 3 * unit, bridge[1])], dark, round(1.6 * unit))


def draw_ears(figure: Figure, head: HeadMap) -> None:
    """Draw the ears, if no hair covers them."""
    if figure.identity.hair_style in ("long", "bob", "curly"):
        return
    for azimuth in (-95, 95):
        (x, y), seen = head.place(azimuth, -0.05)
        if seen or figure.shot.view in ("front", "back"):
            figure.canvas.oval((x, y), head.up * 0.1, head.up * 0.2, scaled(figure.colours["skin"], 90))


def draw_curls(figure: Figure, head: HeadMap, grow: float) -> None:
    """Draw a bumpy edge of curly hair.

    Args:
        figure: The figure.
        head: The map of its head.
        grow: Size of the hair, as a factor of the head's.
    """
    chance = figure.chance
    for ring in (1.0, 0.84):
        for step in range(-5, 22):
            angle = math.pi * (step + chance.uniform(-0.4, 0.4)) / 16
            x = head.centre[0] + math.cos(angle) * head.across * grow * ring
            y = head.centre[1] - math.sin(angle) * head.up * grow * ring
            size = head.up * chance.uniform(0.1, 0.17)
            figure.canvas.oval((x, y), size, size, scaled(figure.colours["hair"], chance.choice((84, 94, 104, 116))))


def draw_shine(figure: Figure, head: HeadMap) -> None:
    """Draw a faint gleam on the crown, towards the light."""
    x, y = head.centre[0] + figure.canvas.light * head.across * 0.4, head.centre[1] - head.up * 0.78
    for size in (1.0, 0.6):
        outline = [
            (x + math.cos(a / 5 * math.pi) * head.across * 0.4 * size, y + math.sin(a / 5 * math.pi) * head.up * 0.14)
            for a in range(10)
        ]
        figure.canvas.veil(outline, (255, 250, 240), 16)


def draw_back_hair(figure: Figure) -> None:
    """Draw hair that falls behind the neck: long hair, or a ponytail."""
    style = figure.identity.hair_style
    if style not in ("long", "ponytail"):
        return
    x, y, z = figure.skeleton["head"]
    project, hair = figure.project, figure.colours["hair"]
    if style == "long":
        line = [(x, y + 0.02, z - 0.018), (x, y - 0.05, z - 0.034), (x, y - 0.13, z - 0.062), (x, y - 0.185, z - 0.07)]
        wide = [figure.pixels(r) for r in (0.046, 0.054, 0.058, 0.044)]
    else:
        line = [(x, y + 0.045, z - 0.06), (x, y + 0.01, z - 0.085), (x, y - 0.07, z - 0.082), (x, y - 0.13, z - 0.074)]
        wide = [figure.pixels(r) for r in (0.014, 0.024, 0.022, 0.008)]
    tube = limb([project(p) for p in line], wide)
    figure.canvas.tube(tube, scaled(hair, 90))
    for u in (-0.5, 0.0, 0.45):
        figure.canvas.line([tube.point(v / 6, u * (1 - v / 12)) for v in range(1, 6)], scaled(hair, 78), 2)
    figure.canvas.shade(tube, 0.8)


def draw_front_locks(figure: Figure) -> None:
    """Draw long hair that falls over the shoulders in front."""
    if figure.identity.hair_style != "long":
        return
    head = HeadMap(figure)
    for azimuth in (-88, 88):
        (x, y), seen = head.place(azimuth, -0.2)
        if not seen and figure.shot.view != "front":
            continue
        side = 1 if x > head.centre[0] else -1
        points = [(x, y - head.up * 0.5), (x + side * head.up * 0.06, y + head.up * 0.5), (x, y + head.up * 1.5)]
        tube = limb(points, [head.up * 0.16, head.up * 0.24, head.up * 0.14])
        figure.canvas.tube(tube, figure.colours["hair"])
        figure.canvas.shade(tube, 0.7)


def draw_hat(figure: Figure) -> None:
    """Draw a cap, a beanie or a hat with a brim."""
    kind = figure.identity.hat
    if kind == NONE:
        return
    head = HeadMap(figure)
    canvas, colour = figure.canvas, figure.colours["hat"]
    x, y = head.centre
    grow = 1.18 if kind == "beanie" else 1.13
    if kind == "brimmed hat":
        brim = head.across * 2.0
        canvas.oval((x, y - head.up * 0.42), brim, head.up * 0.26, scaled(colour, 80))
        canvas.oval((x, y - head.up * 0.47), brim * 0.98, head.up * 0.22, colour)
    dome = head.outline(grow, 0.36, 1.0)
    canvas.fill(dome, colour)
    heights = [0.98, 0.85, 0.65, 0.5, 0.36]
    tube = Tube([(x, y - h * head.up * grow) for h in heights], [(head.width(h) * grow, 0.0) for h in heights])
    canvas.shade(tube, 1.1)
    if kind == "beanie":
        canvas.fill(tube.ring(0.72, 1.0, -1.04, 1.04, sag=4), scaled(colour, 118))
        for u in (-0.7, -0.35, 0.0, 0.35, 0.7):
            canvas.line([tube.point(0.74, u), tube.point(0.98, u)], scaled(colour, 92), 2)
    elif kind == "brimmed hat":
        canvas.fill(tube.ring(0.7, 1.0, sag=5), scaled(colour, 62))
    else:
        draw_peak(figure, head)


def draw_peak(figure: Figure, head: HeadMap) -> None:
    """Draw the peak of a cap, towards where the face looks."""
    canvas, colour = figure.canvas, figure.colours["hat"]
    near, far = [], []
    for azimuth in range(-66, 67, 22):
        (x, y), seen = head.place(azimuth, 0.42)
        if not seen:
            continue
        u = (x - head.centre[0]) / max(1.0, head.across)
        reach = math.cos(math.radians(azimuth))
        forward = math.sin(figure.project.yaw) * head.up * 0.62 * reach
        down = max(0.0, math.cos(figure.project.yaw)) * head.up * 0.3 * reach
        near.append((x + u * 2, y))
        far.append((x + forward, y + down + head.up * 0.12))
    if len(near) > 1:
        canvas.fill(near + far[::-1], scaled(colour, 80))
        canvas.veil([(x, y + 3) for x, y in far] + [(x, y + 9) for x, y in far[::-1]], (0, 0, 0), 50)
