"""The joints of a person, in body heights: x to the person's left, y up, z to the front."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from tipr_zoo.synthpedes.identity import Identity
from tipr_zoo.synthpedes.shot import Shot

Point3 = tuple[float, float, float]

THIGH, SHIN, ANKLE = 0.245, 0.235, 0.04
UPPER_ARM, FOREARM = 0.155, 0.14
BUILDS = {"slim": 0.9, "average": 1.0, "heavy": 1.22}

# Hip flexion and knee flexion of one leg through a double step, in degrees. The other leg is half a cycle away.
GAIT = ((19, 4), (12, 10), (2, 4), (-9, 3), (-17, 12), (-6, 42), (10, 46), (19, 18))


@dataclass(frozen=True)
class Skeleton:
    """The joints of a person, and the widths that follow from the build.

    Attributes:
        joints: The place of each joint in body heights, by name (``"knee left"``...).
        girth: Factor of the body's width.
        shoulder: Distance of a shoulder from the body's axis, in body heights.
        hip: Distance of a hip from the body's axis, in body heights.
    """

    joints: dict[str, Point3]
    girth: float
    shoulder: float
    hip: float

    def __getitem__(self, joint: str) -> Point3:
        return self.joints[joint]


def skeleton(identity: Identity, shot: Shot, chance: random.Random) -> Skeleton:
    """Compute the joints of a person in a shot.

    Args:
        identity: The person.
        shot: How the picture is taken.
        chance: The picture's own random stream.
    """
    girth = BUILDS[identity.build]
    woman = identity.gender == "woman"
    shoulder = (0.088 if woman else 0.099) * (0.6 + 0.4 * girth)
    hip = (0.058 if woman else 0.054) * (0.55 + 0.45 * girth)
    angles = leg_angles(shot, chance)
    joints: dict[str, Point3] = {}
    for side, sign in (("left", 1), ("right", -1)):
        flexion, knee_flexion, spread = angles[side]
        joints.update(leg(side, sign * hip, math.radians(flexion), math.radians(knee_flexion), sign * spread))
    # The lower foot stands on the ground; the pelvis follows.
    lowest = min(joints[f"ankle {side}"][1] for side in ("left", "right"))
    joints = {name: (x, y - lowest + ANKLE, z) for name, (x, y, z) in joints.items()}
    pelvis = joints["hip left"][1] + 0.025
    lean = (0.02 if shot.pose == "walking" else 0.004) + (0.02 if identity.bag == "backpack" else 0.0)
    joints["pelvis"] = (0.0, pelvis, 0.0)
    joints["neck"] = (0.0, pelvis + 0.3, lean)
    nod = 0.028 if shot.pose == "looking at a phone" else chance.uniform(0.0, 0.014)
    joints["head"] = (chance.uniform(-0.006, 0.006), pelvis + 0.393, lean + 0.008 + nod)
    for side, sign in (("left", 1), ("right", -1)):
        start = (sign * shoulder, pelvis + 0.247 - 0.05 * (girth - 1.0), lean * 0.85)
        joints.update(arm(side, sign, start, identity, shot, angles, chance))
    return Skeleton(joints, girth, shoulder, hip)


def leg_angles(shot: Shot, chance: random.Random) -> dict[str, tuple[float, float, float]]:
    """Draw hip flexion and knee flexion of each leg in degrees, and its sideways spread in body heights."""
    if shot.pose in ("walking", "calling") and (shot.pose == "walking" or shot.phase % 2):
        stride = chance.uniform(0.85, 1.15)
        result = {}
        for side, offset in (("left", 0), ("right", 500)):
            place = (shot.phase + offset) % 1000 * len(GAIT)
            step, part = divmod(place, 1000)
            first, second = GAIT[step], GAIT[(step + 1) % len(GAIT)]
            flexion, knee = (a + (b - a) * part / 1000 for a, b in zip(first, second, strict=True))
            result[side] = (flexion * stride, knee, 0.0)
        return result
    spread = chance.uniform(0.0, 0.02)
    return {side: (chance.uniform(-2, 3), chance.uniform(0, 4), spread) for side in ("left", "right")}


def leg(side: str, x: float, flexion: float, knee_flexion: float, spread: float) -> dict[str, Point3]:
    """Compute the joints of one leg that hangs from a hip at height 0.

    Args:
        side: ``"left"`` or ``"right"``.
        x: Place of the hip to the person's left, in body heights.
        flexion: Flexion of the hip, in radians.
        knee_flexion: Flexion of the knee, in radians.
        spread: How far the ankle is to the side, in body heights.
    """
    knee_x = x * 0.92 + spread * 0.5
    ankle_x = x * 0.85 + spread
    knee = (knee_x, -THIGH * math.cos(flexion), THIGH * math.sin(flexion))
    shin = flexion - knee_flexion
    ankle = (ankle_x, knee[1] - SHIN * math.cos(shin), knee[2] + SHIN * math.sin(shin))
    # The foot is level on the ground. It points down when the heel is lifted.
    drop = max(0.0, -shin - 0.25)
    toe = (ankle_x * 1.2, ankle[1] - ANKLE * 0.7 - 0.09 * math.sin(drop), ankle[2] + 0.096 * math.cos(drop))
    return {f"hip {side}": (x, 0.0, 0.0), f"knee {side}": knee, f"ankle {side}": ankle, f"toe {side}": toe}


def arm(
    side: str,
    sign: int,
    start: Point3,
    identity: Identity,
    shot: Shot,
    angles: dict[str, tuple[float, float, float]],
    chance: random.Random,
) -> dict[str, Point3]:
    """Compute the joints of one arm: it swings against the leg, or does what the pose says.

    Args:
        side: ``"left"`` or ``"right"``.
        sign: 1 for the left arm, -1 for the right one.
        start: The shoulder, in body heights.
        identity: The person.
        shot: How the picture is taken.
        angles: Hip flexion and knee flexion of each leg in degrees, and its sideways spread in body heights.
        chance: The picture's own random stream.
    """
    x, y, z = start
    out = 0.022 + 0.012 * (BUILDS[identity.build] - 0.9) / 0.1 * 0.5
    carries = sign == shot.bag_side and identity.bag in ("handbag", "suitcase")
    if shot.pose == "calling" and sign == shot.phone_side:
        elbow = (x + sign * 0.07, y - 0.135, z + 0.06)
        wrist = (x * 0.5 + sign * 0.02, y + 0.11, z + 0.05)
    elif shot.pose == "looking at a phone" and not carries:
        holds = sign == shot.phone_side
        elbow = (x + sign * 0.03, y - 0.155, z + 0.01)
        wrist = (x * (0.25 if holds else 0.45), y - (0.08 if holds else 0.11), z + 0.15)
    elif shot.pose == "hands in pockets":
        elbow = (x + sign * 0.055, y - 0.15, z - 0.03)
        wrist = (x + sign * 0.005, y - 0.275, z + 0.025)
    else:
        other = angles["right" if side == "left" else "left"][0]
        swing = math.radians(other * (0.25 if carries else 1.15) + chance.uniform(-3, 3))
        if carries and identity.bag == "suitcase":
            swing = math.radians(-22)
        bend = math.radians(chance.uniform(6, 14) + max(0.0, other * 0.9)) if not carries else math.radians(5)
        elbow = (x + sign * out, y - UPPER_ARM * math.cos(swing), z + UPPER_ARM * math.sin(swing))
        lower = swing + bend
        wrist = (
            elbow[0] + sign * 0.004,
            elbow[1] - FOREARM * math.cos(lower),
            elbow[2] + FOREARM * math.sin(lower),
        )
    return {f"shoulder {side}": start, f"elbow {side}": elbow, f"wrist {side}": wrist}
