"""Bags: backpacks, shoulder bags, handbags and suitcases."""

from __future__ import annotations

from tipr_zoo.synthpedes.body import Figure, trunk_axes
from tipr_zoo.synthpedes.canvas import Point
from tipr_zoo.synthpedes.palette import contrasting, scaled
from tipr_zoo.synthpedes.pose import Point3


def draw_box(
    figure: Figure, centre: Point3, half: Point3, colour: tuple[int, int, int], rounding: float
) -> list[Point]:
    """Draw a box with rounded edges that turns with the person.

    Args:
        figure: The figure.
        centre: Its centre, in body heights.
        half: Its half-lengths to the side, upwards and to the front, in body heights.
        colour: Its colour.
        rounding: Radius of its edges, in body heights.

    Returns:
        The four corners of the face that looks to the camera most: upper left, upper right, lower right, lower left.
    """
    project, canvas = figure.project, figure.canvas
    width = max(2, round(2 * figure.pixels(rounding)))
    faces = []
    for axis, other in ((2, 0), (0, 2)):
        for sign in (-1, 1):
            normal = [0.0, 0.0, 0.0]
            normal[axis] = sign
            facing = project.depth((normal[0], 0.0, normal[2]))
            if facing <= 0.02:
                continue
            corners = []
            for across, up in ((-1, 1), (1, 1), (1, -1), (-1, -1)):
                corner = list(centre)
                corner[axis] += sign * (half[axis] - rounding)
                corner[other] += across * (half[other] - rounding)
                corner[1] += up * (half[1] - rounding)
                corners.append(project((corner[0], corner[1], corner[2])))
            if corners[0][0] > corners[1][0]:
                corners = [corners[1], corners[0], corners[3], corners[2]]
            faces.append((facing, corners))
    faces.sort(key=lambda face: face[0])
    for facing, corners in faces:
        shade = scaled(colour, round(72 + 28 * facing))
        canvas.fill(corners, shade)
        canvas.line([*corners, corners[0], corners[1]], shade, width)
    return faces[-1][1]


def inside(face: list[Point], u: float, v: float) -> Point:
    """Compute a place on a face.

    Args:
        face: Its corners in pixels: upper left, upper right, lower right, lower left.
        u: From 0 (left) to 1 (right).
        v: From 0 (top) to 1 (bottom).
    """
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = face
    top = (ax + (bx - ax) * u, ay + (by - ay) * u)
    low = (dx + (cx - dx) * u, dy + (cy - dy) * u)
    return top[0] + (low[0] - top[0]) * v, top[1] + (low[1] - top[1]) * v


def patch(face: list[Point], left: float, top: float, right: float, bottom: float) -> list[Point]:
    """Compute the outline of a piece of a face.

    Args:
        face: Its corners in pixels: upper left, upper right, lower right, lower left.
        left: Where the piece begins, from 0 (left) to 1 (right).
        top: Where it begins, from 0 (top) to 1 (bottom).
        right: Where it ends, from 0 (left) to 1 (right).
        bottom: Where it ends, from 0 (top) to 1 (bottom).
    """
    return [inside(face, u, v) for u, v in ((left, top), (right, top), (right, bottom), (left, bottom))]


def draw_backpack(figure: Figure) -> None:
    """Draw the pack on the back."""
    pelvis, lean = figure.skeleton["pelvis"][1], figure.skeleton["neck"][2]
    colour = figure.colours["bag"]
    deep = trunk_axes(figure, 0.15)[1]
    face = draw_box(figure, (0.0, pelvis + 0.165, lean * 0.5 - deep - 0.05), (0.092, 0.118, 0.05), colour, 0.024)
    canvas = figure.canvas
    if figure.shot.shows_back:
        dark, light = scaled(colour, 68), scaled(colour, 122)
        canvas.fill(patch(face, 0.04, 0.5, 0.96, 0.98), scaled(colour, 86))
        canvas.line([inside(face, 0.04, 0.5), inside(face, 0.96, 0.5)], dark, 5)
        canvas.line([inside(face, 0.08, 0.2), inside(face, 0.5, 0.1), inside(face, 0.92, 0.2)], dark, 4)
        canvas.line([inside(face, 0.1, 0.57), inside(face, 0.9, 0.57)], light, 3)
        canvas.line([inside(face, 0.42, -0.12), inside(face, 0.5, -0.17), inside(face, 0.58, -0.12)], dark, 6)
        canvas.veil(patch(face, 0.7, -0.1, 1.1, 1.05), (0, 0, 8), 30)
        canvas.veil(patch(face, -0.08, -0.1, 0.2, 1.05), (255, 255, 250), 14)


def draw_backpack_straps(figure: Figure) -> None:
    """Draw its straps over the shoulders, seen from the front or from the side."""
    colour = figure.colours["bag"]
    pelvis, lean = figure.skeleton["pelvis"][1], figure.skeleton["neck"][2]
    width = round(figure.pixels(0.021))
    for sign in (-1, 1):
        x = sign * figure.skeleton.shoulder * 0.56
        deep = trunk_axes(figure, 0.2)[1] + 0.014
        line = [
            (x, pelvis + 0.285, lean * 0.9),
            (x, pelvis + 0.262, lean * 0.9 + deep * 0.8),
            (x * 1.02, pelvis + 0.225, lean * 0.8 + deep),
            (x * 1.06, pelvis + 0.18, lean * 0.7 + deep),
            (x * 1.3, pelvis + 0.13, lean * 0.5 + deep * 0.8),
        ]
        if figure.project.depth(line[2]) < 0.0:
            continue
        points = [figure.project(p) for p in line]
        figure.canvas.line([(px + 3, py + 3) for px, py in points], scaled(figure.colours["top"], 70), width)
        figure.canvas.line(points, colour, width)
        figure.canvas.line(points[1:3], scaled(colour, 128), max(2, width // 4))


def draw_shoulder_bag(figure: Figure) -> None:
    """Draw a bag at the hip. Its strap runs across the body."""
    side, colour = figure.shot.bag_side, figure.colours["bag"]
    pelvis, lean = figure.skeleton["pelvis"][1], figure.skeleton["neck"][2]
    wide, deep = trunk_axes(figure, 0.0)
    front = 1 if figure.shot.shows_front or figure.shot.view == "side" else -1
    hip = (side * (wide + 0.016), pelvis - 0.035, front * 0.02)
    strap = [
        (-side * 0.055, pelvis + 0.285, lean * 0.9),
        (-side * 0.035, pelvis + 0.235, lean * 0.8 + front * (deep + 0.006)),
        (side * wide * 0.5, pelvis + 0.1, lean * 0.4 + front * (deep + 0.008)),
        (hip[0], pelvis + 0.02, hip[2]),
    ]
    points = [figure.project(p) for p in strap]
    width = round(figure.pixels(0.015))
    figure.canvas.line([(x + 2, y + 4) for x, y in points], scaled(figure.colours["top"], 66), width)
    figure.canvas.line(points, colour, width)
    face = draw_box(figure, hip, (0.036, 0.058, 0.072), colour, 0.014)
    figure.canvas.fill(patch(face, -0.12, -0.12, 1.12, 0.48), scaled(colour, 84))
    figure.canvas.oval(inside(face, 0.5, 0.46), 4, 4, contrasting(colour))


def draw_handbag(figure: Figure) -> None:
    """Draw a bag that hangs from the hand."""
    side = "left" if figure.shot.bag_side > 0 else "right"
    x, y, z = figure.skeleton[f"wrist {side}"]
    colour = figure.colours["bag"]
    grip = figure.project((x, y - 0.035, z))
    centre = (x + figure.shot.bag_side * 0.03, y - 0.13, z)
    face = draw_box(figure, centre, (0.034, 0.052, 0.074), colour, 0.014)
    for u in (0.2, 0.8):
        figure.canvas.line([inside(face, u, -0.15), (grip[0] + (u - 0.5) * 10, grip[1])], scaled(colour, 76), 5)
    figure.canvas.fill(patch(face, 0.1, -0.1, 0.9, 0.14), scaled(colour, 74))
    figure.canvas.oval(inside(face, 0.5, 0.28), 4, 4, (212, 190, 120))


def draw_suitcase(figure: Figure) -> None:
    """Draw a suitcase on wheels that is pulled by a handle."""
    side = figure.shot.bag_side
    name = "left" if side > 0 else "right"
    colour = figure.colours["bag"]
    wrist = figure.skeleton[f"wrist {name}"]
    centre = (side * 0.15, 0.165, -0.15 if figure.shot.view != "side" else -0.17)
    canvas, project = figure.canvas, figure.project
    hand = project((wrist[0], wrist[1] - 0.03, wrist[2]))
    for shift in (-0.022, 0.022):
        foot = project((centre[0] + shift, centre[1] + 0.12, centre[2]))
        canvas.line([foot, (hand[0] + shift * 200, hand[1])], (96, 98, 104), 5)
    x, y = project((centre[0], 0.012, centre[2]))
    for shift in (-26, 26):
        canvas.oval((x + shift, y), 9, 9, (30, 30, 34))
    face = draw_box(figure, centre, (0.076, 0.135, 0.052), colour, 0.018)
    for u in (0.18, 0.5, 0.82):
        canvas.line([inside(face, u, 0.0), inside(face, u, 1.0)], scaled(colour, 76), 4)
    canvas.veil(patch(face, -0.1, 0.7, 1.1, 1.1), (0, 0, 8), 30)
