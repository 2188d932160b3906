"""Shoes: sneakers, boots, sandals, heels and leather shoes."""

from __future__ import annotations

from tipr_zoo.synthpedes.body import Figure
from tipr_zoo.synthpedes.canvas import Point, between, limb
from tipr_zoo.synthpedes.palette import scaled


def draw_shoe(figure: Figure, side: str) -> None:
    """Draw one foot in its shoe."""
    skeleton, project, canvas = figure.skeleton, figure.project, figure.canvas
    ankle, toe = skeleton[f"ankle {side}"], skeleton[f"toe {side}"]
    kind, colour = figure.identity.shoes, figure.colours["shoes"]
    heel = (ankle[0], toe[1] + (ankle[1] - toe[1]) * 0.25, ankle[2] - 0.018)
    instep = between(ankle, toe, 0.45)
    wide = 0.023 if figure.identity.gender == "man" else 0.02
    foot = [project(heel), project(instep), project(toe)]
    radii = [figure.pixels(wide * r) for r in (1.0, 1.05, 0.82)]
    if kind == "boots":
        draw_shaft(figure, side)
    sole = [(x, y + figure.pixels(0.007)) for x, y in foot]
    if kind != "heels":
        under = (216, 214, 208) if kind == "sneakers" else scaled(colour, 55)
        canvas.tube(limb(sole, radii), under)
    body = limb(foot, radii)
    if kind == "sandals":
        canvas.tube(body, figure.colours["skin"])
        canvas.shade(body)
        for part in (0.3, 0.55, 0.8):
            canvas.fill(body.ring(part, part + 0.09), colour)
        canvas.line([project(heel), project(ankle)], colour, 7)
        return
    if kind == "heels":
        draw_stiletto(figure, foot, project(heel), radii[0])
    canvas.tube(body, colour)
    upper = limb(
        [project(between(ankle, toe, 0.05)), project(instep)], [figure.pixels(wide), figure.pixels(wide * 0.95)]
    )
    if kind == "heels":
        canvas.tube(upper, figure.colours["skin"])
    else:
        canvas.tube(upper, colour)
        canvas.shade(upper, 0.7)
    canvas.shade(body)
    if kind == "sneakers":
        lace = (236, 236, 232) if sum(colour) < 560 else (150, 152, 156)
        canvas.line(body.ring(0.5, 0.5, -0.5, 0.5)[:7], lace, 3)


def draw_shaft(figure: Figure, side: str) -> None:
    """Draw the shaft of a boot, up the calf unless trousers hide it."""
    skeleton, project = figure.skeleton, figure.project
    ankle, knee = skeleton[f"ankle {side}"], skeleton[f"knee {side}"]
    high = 0.2 if figure.identity.bottom in ("trousers", "jeans") else 0.46
    points = [project(between(ankle, knee, high)), project(between(ankle, knee, high / 2)), project(ankle)]
    tube = limb(points, [figure.pixels(r) for r in (0.034, 0.03, 0.025)], round_start=False)
    figure.canvas.tube(tube, figure.colours["shoes"])
    figure.canvas.shade(tube)
    figure.canvas.line(tube.ring(0.02, 0.03)[:7], scaled(figure.colours["shoes"], 70), 3)


def draw_stiletto(figure: Figure, foot: list[Point], heel: Point, radius: float) -> None:
    """Draw the heel of a high shoe.

    Args:
        figure: The figure.
        foot: Points along the foot, in pixels.
        heel: The heel, in pixels.
        radius: Half the width of the foot at its first point, in pixels.
    """
    x, y = heel
    drop = figure.pixels(0.022)
    figure.canvas.fill(
        [(x - radius * 0.5, y), (x + radius * 0.5, y), (x + 3, y + drop + radius), (x - 3, y + drop + radius)],
        scaled(figure.colours["shoes"], 70),
    )
