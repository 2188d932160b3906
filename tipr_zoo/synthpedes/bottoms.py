"""The clothes below the waist: trousers, jeans, leggings, shorts and skirts."""

from __future__ import annotations

from itertools import pairwise

from tipr_zoo.synthpedes.body import LEG_RADII, Figure, draw_bare_leg, leg_points, trunk_axes, trunk_centre, trunk_tube
from tipr_zoo.synthpedes.canvas import Point, Tube, limb
from tipr_zoo.synthpedes.palette import scaled

# How much wider than the leg: at hip, thigh, knee, calf and hem, in body heights.
EASE = {
    "trousers": (0.008, 0.012, 0.014, 0.014, 0.021),
    "jeans": (0.006, 0.008, 0.009, 0.009, 0.015),
    "leggings": (0.003, 0.002, 0.002, 0.002, 0.003),
    "shorts": (0.01, 0.016, 0.024, 0.024, 0.024),
}
SKIRT_HEMS = {"skirt": -0.235, "long skirt": -0.415, "dress": -0.25, "coat": -0.23}


def draw_leg(figure: Figure, side: str) -> None:
    """Draw one leg, bare or in its trouser leg, down to the ankle."""
    bottom = figure.identity.bottom
    if bottom not in ("trousers", "jeans", "leggings"):
        draw_bare_leg(figure, side)
    if bottom not in EASE:
        return
    canvas, colour = figure.canvas, figure.colours["bottom"]
    girth = 0.3 + 0.7 * figure.skeleton.girth
    radii = [r * girth + ease for r, ease in zip(LEG_RADII[figure.identity.gender], EASE[bottom], strict=True)]
    points = leg_points(figure, side)
    if bottom == "shorts":
        points, radii = points[:3], radii[:3]
        (x0, y0), (x1, y1) = points[1], points[2]
        points[2] = (x0 + (x1 - x0) * 0.86, y0 + (y1 - y0) * 0.86)
    tube = limb(points, [figure.pixels(r) for r in radii], round_end=False)
    canvas.tube(tube, colour)
    if side == figure.sides()[0]:
        canvas.veil(tube.band(), (6, 6, 14), 26)
    canvas.shade(tube)
    hem = len(tube.centres) - 1
    if bottom == "jeans":
        canvas.line([tube.point(v / 10, 0.8) for v in range(3, 11)], scaled(colour, 76), 2)
        canvas.line([tube.point((hem - 0.16) / hem, u) for u in (-1, 0, 1)], scaled(colour, 74), 2)
    if bottom != "leggings":
        draw_creases(figure, tube)


def draw_creases(figure: Figure, tube: Tube) -> None:
    """Draw folds at the knee and above the hem."""
    chance = figure.chance
    for low, high in ((0.05, 0.35), (0.5, 0.72), (0.82, 0.97)):
        v, edge = chance.uniform(low, high), chance.choice((-1, 1))
        end = chance.uniform(-0.2, 0.45) * edge
        drop = chance.uniform(-0.05, 0.05)
        figure.canvas.veil([tube.point(v, edge), tube.point(v + drop, -end), tube.point(v + 0.03, edge)], (0, 0, 8), 26)


def draw_seat(figure: Figure) -> None:
    """Draw the upper part of the trousers, from waist to crotch."""
    if figure.identity.bottom not in EASE:
        return
    tube = trunk_tube(figure, (0.075, 0.04, 0.0, -0.03, -0.06), EASE[figure.identity.bottom][0])
    figure.canvas.tube(tube, figure.colours["bottom"])
    figure.canvas.shade(tube)
    if figure.shot.shows_back and figure.identity.bottom in ("jeans", "trousers"):
        for azimuth in (150, 210):
            wide, deep = trunk_axes(figure, -0.02)
            u = figure.project.across(azimuth, wide, deep)
            if u is not None:
                figure.canvas.line(tube.ring(0.62, 0.95, u - 0.2, u + 0.2)[:7], scaled(figure.colours["bottom"], 74), 2)


def skirt_tube(figure: Figure, waist: float, hem: float, flare: float) -> Tube:
    """Build a tube from the waist around both legs to the hem.

    Args:
        figure: The figure.
        waist: Height of its upper end above the pelvis, in body heights.
        hem: Height of its lower end above the pelvis, in body heights.
        flare: How much wider than the legs it is at the hem.
    """
    centres: list[Point] = []
    spans: list[Point] = []
    legs = {side: leg_points(figure, side) for side in ("left", "right")}
    steps = 8
    for step in range(steps + 1):
        height = waist + (hem - waist) * step / steps
        wide, deep = trunk_axes(figure, height)
        centre = figure.project(trunk_centre(figure, height))
        half = figure.project.half_width(wide + 0.008, deep + 0.008)
        if height < -0.04:
            reach = figure.pixels(0.04 + flare * (height + 0.04) / (hem + 0.04))
            xs = [x_at(points, centre[1]) for points in legs.values()]
            low, high = min(xs) - reach, max(xs) + reach
            share = min(1.0, (-0.04 - height) / 0.08)
            low = (centre[0] - half) * (1 - share) + low * share
            high = (centre[0] + half) * (1 - share) + high * share
            centre, half = ((low + high) / 2, centre[1]), (high - low) / 2
        centres.append(centre)
        spans.append((half, 0.0))
    return Tube(centres, spans)


def x_at(points: list[Point], y: float) -> float:
    """Compute where a leg is across the picture at a height y, in pixels."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if y0 <= y <= y1 and y1 > y0:
            return x0 + (x1 - x0) * (y - y0) / (y1 - y0)
    return points[-1][0] if y > points[-1][1] else points[0][0]


def draw_skirt(figure: Figure) -> None:
    """Draw a skirt to the knee or to the ankle."""
    if figure.identity.bottom not in ("skirt", "long skirt"):
        return
    long = figure.identity.bottom == "long skirt"
    tube = skirt_tube(figure, 0.075, SKIRT_HEMS[figure.identity.bottom], 0.03 if long else 0.026)
    drape(figure, tube, figure.colours["bottom"])


def drape(figure: Figure, tube: Tube, colour: tuple[int, int, int]) -> None:
    """Draw hanging cloth: a curved hem and long folds.

    Args:
        figure: The figure.
        tube: The shape of the cloth.
        colour: Its colour.
    """
    canvas = figure.canvas
    (x, y), (half, _) = tube.centres[-1], tube.spans[-1]
    canvas.oval((x, y), half, max(4.0, figure.pixels(0.012)), scaled(colour, 80))
    canvas.tube(tube, colour)
    canvas.oval((x, y), half, max(2.0, figure.pixels(0.006)), colour)
    canvas.shade(tube)
    hang(figure, tube)


def hang(figure: Figure, tube: Tube) -> None:
    """Draw long folds that open towards the hem."""
    for u in (-0.62, -0.2, 0.24, 0.66):
        shifted = u + figure.chance.uniform(-0.1, 0.1)
        fold = [tube.point(0.3, shifted * 0.8), tube.point(1.0, shifted - 0.07), tube.point(1.0, shifted + 0.07)]
        figure.canvas.veil(fold, (0, 0, 8), 30)
