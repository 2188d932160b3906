"""The clothes above the waist: shirts, sweaters, hoodies, jackets, coats, vests and dresses."""

from __future__ import annotations

from tipr_zoo.synthpedes.body import ARM_RADII, Figure, draw_bare_arm, trunk_axes, trunk_tube
from tipr_zoo.synthpedes.bottoms import SKIRT_HEMS, hang, skirt_tube
from tipr_zoo.synthpedes.canvas import Tube, between, limb
from tipr_zoo.synthpedes.identity import OPEN_TOPS
from tipr_zoo.synthpedes.palette import scaled

HEMS = {
    "t-shirt": -0.025,
    "sweater": -0.015,
    "button-up": -0.045,
    "hoodie": -0.03,
    "jacket": -0.02,
    "vest": -0.01,
    "tank top": -0.02,
}
EASE = {"t-shirt": 0.008, "sweater": 0.011, "hoodie": 0.016, "jacket": 0.016, "coat": 0.018, "vest": 0.018}
# How far down each part of the arm the sleeve reaches: of the upper arm, of the forearm.
SLEEVES = {"t-shirt": (0.66, 0.0), "tank top": (0.0, 0.0), "dress": (0.5, 0.0), "vest": (0.62, 0.0)}
UPPER = (0.305, 0.288, 0.268, 0.235, 0.2, 0.15, 0.1, 0.05, 0.0)


def torso_tube(figure: Figure) -> Tube:
    """Build the tube of the top from the neck to its hem."""
    top = figure.identity.top
    ease = EASE.get(top, 0.007)
    if top in ("dress", "coat"):
        upper = trunk_tube(figure, UPPER[:-1], ease)
        lower = skirt_tube(figure, 0.0, SKIRT_HEMS[top], 0.03 if top == "dress" else 0.016)
        return Tube([*upper.centres, *lower.centres], [*upper.spans, *lower.spans])
    return trunk_tube(figure, (*UPPER, HEMS[top]), ease)


def draw_torso(figure: Figure) -> None:
    """Draw the top without its sleeves."""
    canvas, identity = figure.canvas, figure.identity
    colour = figure.colours["top"]
    tube = torso_tube(figure)
    shadow = [(x, y + 9) for x, y in tube.ring(0.8, 1.0)]
    canvas.veil(shadow, (0, 0, 8), 50)
    if identity.top == "tank top":
        canvas.tube(tube, figure.colours["skin"])
        canvas.fill(tube.ring(0.36, 1.0), colour)
        for side in (-1, 1):
            canvas.fill([tube.point(0.17, side * 0.45), tube.point(0.17, side * 0.72), tube.point(0.38, side * 0.9),
                         tube.point(0.38, side * 0.3)], colour)  # fmt: skip
    else:
        canvas.tube(tube, colour)
    if identity.top == "dress":
        canvas.oval(tube.centres[-1], tube.spans[-1][0], figure.pixels(0.008), colour)
    draw_pattern(figure, tube, identity.top_pattern, 0.36 if identity.top == "tank top" else 0.12)
    draw_front(figure, tube)
    canvas.shade(tube)
    draw_folds(figure, tube)
    if identity.top in ("dress", "coat"):
        hang(figure, tube)


def draw_pattern(figure: Figure, tube: Tube, pattern: str, start: float) -> None:
    """Draw stripes, checks or dots that follow the body.

    Args:
        figure: The figure.
        tube: The shape of the cloth.
        pattern: ``"stripes"``, ``"checks"`` or ``"dots"``. Any other value draws nothing.
        start: Where the pattern begins along the tube, from 0 to 1.
    """
    canvas, line = figure.canvas, figure.colours["line"]
    sag = figure.pixels(0.01)
    length = tube.centres[-1][1] - tube.centres[0][1]
    if pattern == "stripes":
        count = max(4, round(length / figure.pixels(0.052)))
        for step in range(count):
            v = start + (1 - start) * (step + 0.3) / count
            canvas.fill(tube.ring(v, v + (1 - start) * 0.42 / count, sag=sag), line)
    elif pattern == "checks":
        count = max(4, round(length / figure.pixels(0.06)))
        for step in range(count):
            v = start + (1 - start) * (step + 0.3) / count
            canvas.veil(tube.ring(v, v + (1 - start) * 0.36 / count, sag=sag), line, 150)
        for u in (-0.85, -0.5, -0.16, 0.18, 0.52, 0.86):
            canvas.veil(tube.ring(start, 1.0, u - 0.07, u + 0.07), line, 150)
    elif pattern == "dots":
        count = max(5, round(length / figure.pixels(0.05)))
        for row in range(count):
            v = start + (1 - start) * (row + 0.5) / count
            for column in range(-2, 3):
                u = (column + (0.5 if row % 2 else 0.0)) * 0.38
                if abs(u) < 0.92:
                    radius = figure.pixels(0.0115)
                    canvas.oval(tube.point(v, u), radius * (1.1 - 0.5 * abs(u)), radius, line)


def draw_front(figure: Figure, tube: Tube) -> None:
    """Draw what shows only from the front: an opening, buttons, a pocket, a logo; or a hood from behind."""
    top = figure.identity.top
    if top in OPEN_TOPS:
        draw_opening(figure, tube)
    elif top == "button-up":
        draw_buttons(figure, tube)
    elif top == "hoodie":
        draw_hood(figure, tube)
    if figure.identity.top_pattern == "logo":
        draw_logo(figure, tube)
    draw_collar(figure, tube)


def spot(figure: Figure, azimuth: float, height: float = 0.15) -> float | None:
    """Compute where an azimuth of the trunk shows across the tube, from -1 to 1; None if it is hidden.

    Args:
        figure: The figure.
        azimuth: Degrees from the front, positive to the person's left.
        height: Height above the pelvis, in body heights.
    """
    wide, deep = trunk_axes(figure, height)
    return figure.project.across(azimuth, wide, deep)


def edge_spots(figure: Figure, left: float, right: float) -> tuple[float, float] | None:
    """Compute the part of a range of azimuths that is visible across the tube; None if all of it is hidden.

    Args:
        figure: The figure.
        left: The first azimuth, in degrees from the front, positive to the person's left.
        right: The last azimuth, in degrees.
    """
    seen = [u for azimuth in range(round(left), round(right) + 1, 4) if (u := spot(figure, azimuth)) is not None]
    return (min(seen), max(seen)) if len(seen) > 1 else None


def draw_opening(figure: Figure, tube: Tube) -> None:
    """Draw the shirt under an open jacket, coat or vest, and the edges of the opening."""
    upper, lower = edge_spots(figure, -34, 34), edge_spots(figure, -26, 26)
    if not upper or not lower:
        draw_back_seam(figure, tube)
        return
    canvas, colour = figure.canvas, figure.colours["top"]
    end = 1.0 if figure.identity.top != "coat" else 0.52
    rows = (0.06, 0.2, 0.4, 0.7, 1.0)
    left = [tube.point(v * end, upper[0] + (lower[0] - upper[0]) * v) for v in rows]
    right = [tube.point(v * end, upper[1] + (lower[1] - upper[1]) * v) for v in rows]
    canvas.fill(left + right[::-1], figure.colours["inner"])
    for edge, other in ((left, right), (right, left)):
        ahead = 1 if edge[0][0] > other[0][0] else -1
        canvas.line(edge, scaled(colour, 70), 3)
        lapel = [edge[0], edge[1], edge[2], (edge[1][0] + ahead * figure.pixels(0.024), edge[1][1])]
        canvas.fill(lapel, scaled(colour, 84) if sum(colour) > 240 else scaled(colour, 150))
    if end < 1.0:
        middle = edge_spots(figure, -3, 3)
        if middle:
            canvas.line([tube.point(v, middle[0]) for v in (0.5, 0.75, 1.0)], scaled(colour, 66), 3)


def draw_back_seam(figure: Figure, tube: Tube) -> None:
    """Draw a seam across the shoulder blades."""
    line = scaled(figure.colours["top"], 84)
    figure.canvas.line(tube.ring(0.3, 0.31, -0.9, 0.9, sag=5)[:7], line, 2)


def draw_buttons(figure: Figure, tube: Tube) -> None:
    """Draw the button row of a shirt."""
    u = spot(figure, 0)
    colour = figure.colours["top"]
    if u is None or abs(u) > 0.92:
        return draw_back_seam(figure, tube)
    figure.canvas.line([tube.point(v, u) for v in (0.1, 0.4, 0.7, 1.0)], scaled(colour, 78), 3)
    for step in range(6):
        figure.canvas.oval(tube.point(0.2 + step * 0.14, u), 2.6, 2.6, figure.colours["line"])
    return None


def draw_hood(figure: Figure, tube: Tube) -> None:
    """Draw the pocket and the cords of a hoodie, or its hood on the back."""
    canvas, colour = figure.canvas, figure.colours["top"]
    pocket = edge_spots(figure, -38, 38)
    if figure.shot.shows_back:
        outline = tube.ring(0.08, 0.34, -0.62, 0.62, sag=figure.pixels(0.022))
        canvas.fill(outline, scaled(colour, 88))
        canvas.line(outline[7:], scaled(colour, 68), 4)
        return
    if pocket and pocket[1] - pocket[0] > 0.3:
        left, right = pocket
        shape = [tube.point(0.68, left * 0.8 + right * 0.2), tube.point(0.68, left * 0.2 + right * 0.8)]
        shape += [tube.point(0.84, right), tube.point(0.93, right), tube.point(0.93, left), tube.point(0.84, left)]
        canvas.line([*shape, shape[0]], scaled(colour, 74), 3)
    for azimuth in (-14, 14):
        u = spot(figure, azimuth)
        if u is not None and abs(u) < 0.9:
            canvas.line([tube.point(0.16, u), tube.point(0.42, u)], figure.colours["line"], 4)


def draw_logo(figure: Figure, tube: Tube) -> None:
    """Draw a print on the chest."""
    u = spot(figure, 0)
    if u is None or abs(u) > 0.85:
        return
    canvas, line = figure.canvas, figure.colours["line"]
    narrow = (1 - u * u) ** 0.5
    across, up = tube.spans[4][0] * 0.42 * narrow, figure.pixels(0.034)
    x, y = tube.point(0.46, u)
    shape = figure.chance.randrange(3)
    if shape == 0:
        canvas.oval((x, y), across, up, line)
        canvas.oval((x, y), across * 0.55, up * 0.55, figure.colours["top"])
    elif shape == 1:
        canvas.fill([(x - across, y - up), (x + across, y - up), (x + across, y), (x - across, y)], line)
        canvas.fill([(x - across, y + up * 0.3), (x + across * 0.5, y + up * 0.3), (x + across * 0.5, y + up * 0.8),
                     (x - across, y + up * 0.8)], line)  # fmt: skip
    else:
        canvas.fill([(x, y - up), (x + across, y + up), (x - across, y + up)], line)


def draw_collar(figure: Figure, tube: Tube) -> None:
    """Draw the neckline."""
    top, colour = figure.identity.top, figure.colours["top"]
    if top in ("button-up", "jacket", "coat", "vest"):
        figure.canvas.fill(tube.ring(0.0, 0.1, -1.08, 1.08, sag=4), scaled(colour, 116 if sum(colour) < 300 else 88))
    if figure.shot.shows_front and top in ("t-shirt", "dress", "button-up", "sweater"):
        u = spot(figure, 0, 0.29) or 0.0
        reach = 0.26 if top in ("button-up", "dress") else 0.17
        centre, edge = tube.point(0.02, u * 0.5), figure.pixels(0.026)
        neck = [(centre[0] - edge, centre[1] - 3), (centre[0] + edge, centre[1] - 3), tube.point(reach, u * 0.8)]
        figure.canvas.fill(neck, scaled(figure.colours["skin"], 92))


def draw_folds(figure: Figure, tube: Tube) -> None:
    """Draw soft diagonal folds at the waist and under the arms."""
    for _ in range(5):
        v, u = figure.chance.uniform(0.35, 0.9), figure.chance.choice((-1, 1)) * figure.chance.uniform(0.45, 0.95)
        inner = u * figure.chance.uniform(0.1, 0.5)
        drop = figure.chance.uniform(-0.06, 0.1)
        fold = [tube.point(v, u), tube.point(v + drop, inner), tube.point(v + 0.04, u)]
        figure.canvas.veil(fold, (0, 0, 8), 30)


def draw_arm(figure: Figure, side: str, part: str) -> None:
    """Draw a part of an arm with its sleeve.

    Args:
        figure: The figure.
        side: ``"left"`` or ``"right"``.
        part: ``"upper"`` for the upper arm, ``"lower"`` for the forearm.
    """
    top = figure.identity.top
    upper, lower = SLEEVES.get(top, (1.0, 1.0))
    if (part == "upper" and upper < 1) or part == "lower":
        draw_bare_arm(figure, side, part)
    reach = upper if part == "upper" else lower
    if reach == 0:
        return
    skeleton, project, canvas = figure.skeleton, figure.project, figure.canvas
    colour = figure.colours["inner"] if top in ("vest",) else figure.colours["top"]
    ease = EASE.get(top, 0.007) * 0.75
    radii = [figure.pixels(r * (0.3 + 0.7 * skeleton.girth) + ease) for r in ARM_RADII[figure.identity.gender]]
    joints = ("shoulder", "elbow") if part == "upper" else ("elbow", "wrist")
    start, end = (skeleton[f"{joint} {side}"] for joint in joints)
    first, last = (radii[0], radii[2]) if part == "upper" else (radii[2], radii[3])
    if part == "upper":
        first -= figure.pixels(ease * 0.7)
    points = [project(between(start, end, reach * step)) for step in (0.0, 0.5, 1.0)]
    whole_sleeve = part == "upper" and reach == 1.0
    tube = limb(points, [first, (first + last) / 2, last], round_end=whole_sleeve)
    canvas.veil([(x - canvas.light * 5, y + 3) for x, y in tube.band()], (0, 0, 8), 22 if part == "upper" else 36)
    canvas.tube(tube, colour)
    if figure.identity.top_pattern in ("stripes", "checks") and top != "tank top":
        for step in range(4 if reach == 1.0 else 3):
            v = (0.22 if part == "upper" else 0.12) + step * (0.2 if reach == 1.0 else 0.24)
            if figure.identity.top_pattern == "stripes":
                canvas.fill(tube.ring(v, v + 0.085), figure.colours["line"])
            else:
                canvas.veil(tube.ring(v, v + 0.075), figure.colours["line"], 150)
        if figure.identity.top_pattern == "checks":
            for u in (-0.45, 0.3):
                canvas.veil(tube.band(u - 0.12, u + 0.12), figure.colours["line"], 150)
    elif figure.identity.top_pattern == "dots" and top != "tank top":
        for step in range(4 if reach == 1.0 else 2):
            radius = figure.pixels(0.0105)
            canvas.oval(tube.point(0.3 + step * 0.2, -0.4 if step % 2 else 0.4), radius, radius, figure.colours["line"])
    canvas.shade(tube)
    if not whole_sleeve:
        canvas.line(tube.ring(0.97, 0.99)[:7], scaled(colour, 72), 3)
