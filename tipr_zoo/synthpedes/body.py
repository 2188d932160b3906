"""The figure and its bare body: girths of the trunk, arms, legs and hands."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

from tipr_zoo.synthpedes.canvas import Canvas, Point, Projection, Tube, between, limb
from tipr_zoo.synthpedes.identity import NONE, Identity
from tipr_zoo.synthpedes.palette import CLOTH, HAIR, SKIN, Colour, contrasting, varied
from tipr_zoo.synthpedes.pose import Skeleton
from tipr_zoo.synthpedes.shot import Shot

# Height above the pelvis, half-width and half-depth of the trunk of a man and of a woman, in body heights.
TRUNK = {
    "man": (
        (0.305, 0.038, 0.036),
        (0.288, 0.066, 0.046),
        (0.268, 0.102, 0.056),
        (0.2, 0.104, 0.07),
        (0.1, 0.088, 0.066),
        (0.0, 0.09, 0.07),
        (-0.055, 0.086, 0.068),
    ),
    "woman": (
        (0.305, 0.032, 0.031),
        (0.288, 0.056, 0.042),
        (0.268, 0.089, 0.052),
        (0.2, 0.09, 0.07),
        (0.1, 0.073, 0.06),
        (0.0, 0.094, 0.074),
        (-0.055, 0.092, 0.072),
    ),
}
LEG_RADII = {"man": (0.052, 0.043, 0.035, 0.033, 0.021), "woman": (0.052, 0.042, 0.032, 0.031, 0.018)}
ARM_RADII = {"man": (0.034, 0.028, 0.026, 0.019), "woman": (0.028, 0.023, 0.022, 0.016)}


@dataclass
class Figure:
    """One person in one shot, with the colours of this picture.

    Attributes:
        canvas: The canvas to draw on.
        project: The projection from body heights to pixels of the canvas.
        skeleton: The person's joints.
        identity: The person.
        shot: How the picture is taken.
        chance: The picture's own random stream.
        colours: The colour of each part, by name.
    """

    canvas: Canvas
    project: Projection
    skeleton: Skeleton
    identity: Identity
    shot: Shot
    chance: random.Random
    colours: dict[str, Colour]

    def pixels(self, length: float) -> float:
        """Convert a length in body heights to pixels of the canvas."""
        return length * self.project.height

    def depth(self, *joints: str) -> float:
        """Compute the mean depth of some joints, in body heights."""
        return sum(self.project.depth(self.skeleton[joint]) for joint in joints) / len(joints)

    def sides(self) -> tuple[str, str]:
        """Return ``"left"`` and ``"right"``, the one farther from the camera first."""
        return ("left", "right") if self.depth("hip left") <= self.depth("hip right") else ("right", "left")


def figure_colours(identity: Identity, chance: random.Random) -> dict[str, Colour]:
    """Choose every colour of the figure, varied for one picture."""

    def cloth(name: str, otherwise: str = "white") -> Colour:
        return varied(CLOTH[otherwise if name == NONE else name], chance)

    return {
        "skin": varied(SKIN[identity.skin], chance, 7),
        "hair": varied(HAIR["black" if identity.hair_colour == NONE else identity.hair_colour], chance, 6),
        "top": cloth(identity.top_colour),
        "inner": cloth(identity.inner_colour),
        "bottom": cloth(identity.bottom_colour, "grey"),
        "shoes": cloth(identity.shoe_colour),
        "bag": cloth(identity.bag_colour, "black"),
        "hat": cloth(identity.hat_colour, "black"),
        # The name of the colour decides. So stripes and prints are the same in every picture.
        "line": varied(contrasting(CLOTH[identity.top_colour]), chance),
    }


def trunk_axes(figure: Figure, height: float) -> tuple[float, float]:
    """Compute half-width and half-depth of the bare trunk at a height above the pelvis, in body heights."""
    table = TRUNK[figure.identity.gender]
    girth = figure.skeleton.girth
    for (upper, wide0, deep0), (lower, wide1, deep1) in pairwise(table):
        if height >= lower:
            part = min(1.0, max(0.0, (upper - height) / (upper - lower)))
            wide, deep = wide0 + (wide1 - wide0) * part, deep0 + (deep1 - deep0) * part
            break
    else:
        wide, deep = table[-1][1:]
    # A heavy build widens the belly more than the shoulders.
    belly = girth if height < 0.22 else 0.55 + 0.45 * girth
    return wide * belly, deep * (girth * 1.06 if belly > 1.1 else belly)


def trunk_centre(figure: Figure, height: float) -> tuple[float, float, float]:
    """Compute the point on the trunk's axis at a height above the pelvis, in body heights."""
    return between(figure.skeleton["pelvis"], figure.skeleton["neck"], height / 0.3)


def trunk_tube(figure: Figure, heights: tuple[float, ...], ease: float) -> Tube:
    """Build a tube around the trunk.

    Args:
        figure: The figure.
        heights: Heights of its sections above the pelvis, in body heights.
        ease: How much wider it is than the body, in body heights.
    """
    centres: list[Point] = []
    spans: list[Point] = []
    for height in heights:
        wide, deep = trunk_axes(figure, height)
        loose = ease if height < 0.25 else ease * 0.6
        centres.append(figure.project(trunk_centre(figure, height)))
        spans.append((figure.project.half_width(wide + loose, deep + loose), 0.0))
    return Tube(centres, spans)


def draw_neck(figure: Figure) -> None:
    """Draw the neck, from the chest up into the head."""
    skeleton, project = figure.skeleton, figure.project
    radius = figure.pixels(0.03 if figure.identity.gender == "man" else 0.025)
    low = project(between(skeleton["pelvis"], skeleton["neck"], 0.9))
    tube = limb([project(between(skeleton["neck"], skeleton["head"], 0.5)), low], [radius, radius * 1.15])
    figure.canvas.tube(tube, figure.colours["skin"])
    figure.canvas.veil(tube.band(), (30, 10, 0), 46)
    figure.canvas.shade(tube)


def leg_points(figure: Figure, side: str) -> list[Point]:
    """Compute hip, middle of the thigh, knee, calf and ankle of a leg, in pixels."""
    skeleton, project = figure.skeleton, figure.project
    hip, knee, ankle = (skeleton[f"{joint} {side}"] for joint in ("hip", "knee", "ankle"))
    return [project(p) for p in (hip, between(hip, knee, 0.5), knee, between(knee, ankle, 0.35), ankle)]


def draw_bare_leg(figure: Figure, side: str) -> None:
    """Draw the skin of a leg."""
    girth = 0.3 + 0.7 * figure.skeleton.girth
    radii = [figure.pixels(radius * girth) for radius in LEG_RADII[figure.identity.gender]]
    tube = limb(leg_points(figure, side), radii)
    figure.canvas.tube(tube, figure.colours["skin"])
    figure.canvas.shade(tube)


def draw_bare_arm(figure: Figure, side: str, part: str) -> None:
    """Draw the skin of a part of an arm.

    Args:
        figure: The figure.
        side: ``"left"`` or ``"right"``.
        part: ``"upper"`` for the upper arm, ``"lower"`` for the forearm with its hand.
    """
    skeleton, project = figure.skeleton, figure.project
    shoulder, elbow, wrist = (skeleton[f"{joint} {side}"] for joint in ("shoulder", "elbow", "wrist"))
    radii = [figure.pixels(r * (0.3 + 0.7 * skeleton.girth)) for r in ARM_RADII[figure.identity.gender]]
    if part == "upper":
        tube = limb([project(shoulder), project(between(shoulder, elbow, 0.5)), project(elbow)], radii[:2] + radii[2:3])
        figure.canvas.tube(tube, figure.colours["skin"])
    else:
        middle = between(elbow, wrist, 0.4)
        tube = limb([project(elbow), project(middle), project(wrist)], [radii[2], radii[2] * 1.02, radii[3]])
        figure.canvas.tube(tube, figure.colours["skin"])
        figure.canvas.shade(tube)
        tip = between(elbow, wrist, 1.4)
        palm = between(elbow, wrist, 1.2)
        tube = limb([project(wrist), project(palm), project(tip)], [radii[3], radii[3] * 1.15, radii[3] * 0.65])
        figure.canvas.tube(tube, figure.colours["skin"])
    figure.canvas.shade(tube)
