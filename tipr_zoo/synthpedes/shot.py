"""Shots: the viewpoint, the pose, the scene and whatever stands in front of the person."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tipr_zoo.synthpedes.identity import NONE, Identity, weighted
from tipr_zoo.synthpedes.streams import stream

WIDTH, HEIGHT = 64, 192

# view: (centre of the yaw in degrees, spread); 0 faces the camera, 90 looks to the right of the picture
YAWS = {
    "front": (0, 14),
    "back": (180, 14),
    "side": (90, 12),
    "three-quarter front": (42, 10),
    "three-quarter back": (138, 10),
}
VIEWS = (
    "front",
    "back",
    "three-quarter front",
    "side",
    "front",
    "three-quarter back",
    "three-quarter front",
    "back",
)
POSES = {"walking": 50, "standing": 24, "calling": 9, "looking at a phone": 9, "hands in pockets": 8}
SCENES = {"street": 26, "wall": 18, "shop": 20, "grass": 16, "crossing": 20}
OCCLUDERS = {NONE: 88, "pole": 4, "shoulder": 4, "box": 4}


@dataclass(frozen=True)
class Shot:
    """What changes from picture to picture of one identity.

    Attributes:
        view: One of `YAWS`.
        yaw: Degrees by which the person is turned; 0 faces the camera.
        pose: One of `POSES`.
        phase: Where in the gait a walking person is, in thousandths of a double step.
        bag_side: 1 for the person's left hand, -1 for the right one.
        phone_side: The hand that holds a phone, if one does.
        scene: One of `SCENES`.
        occluder: One of `OCCLUDERS`.
    """

    view: str
    yaw: int
    pose: str
    phase: int
    bag_side: int
    phone_side: int
    scene: str
    occluder: str

    @property
    def shows_front(self) -> bool:
        """Whether the chest and the face can be seen."""
        return self.view in ("front", "three-quarter front")

    @property
    def shows_back(self) -> bool:
        """Whether the person is seen from behind."""
        return self.view in ("back", "three-quarter back")

    @property
    def heading(self) -> str:
        """The direction that the person is turned to in the picture: ``"left"``, ``"right"`` or ``"none"``."""
        if self.view in ("front", "back"):
            return NONE
        return "right" if 0 < self.yaw < 180 else "left"


def shots(identity: Identity, split: str, index: int, count: int, *, seed: int = 0) -> list[Shot]:
    """Draw the shots of an identity. Viewpoints differ, and a larger count never changes the first shots.

    Args:
        identity: The person.
        split: ``"train"``, ``"val"`` or ``"test"``.
        index: Place of the identity in its split, from 0.
        count: Number of shots.
        seed: Seed of the data set.
    """
    order = list(VIEWS)
    stream(seed, split, index, "views").shuffle(order)
    return [
        one_shot(identity, order[number % len(order)], stream(seed, split, index, "shot", number))
        for number in range(count)
    ]


def one_shot(identity: Identity, view: str, chance: random.Random) -> Shot:
    """Draw a shot from the given side. Bags are held where the camera sees them.

    Args:
        identity: The person.
        view: One of `YAWS`.
        chance: The shot's own random stream.
    """
    centre, spread = YAWS[view]
    yaw = centre + chance.randint(-spread, spread)
    if view not in ("front", "back") and chance.randrange(2):
        yaw = 360 - yaw
    facing_right = 0 < yaw < 180
    near_side = -1 if facing_right else 1
    pose = weighted(chance, POSES)
    bag_side = chance.choice((-1, 1))
    if view not in ("front", "back"):
        bag_side = near_side
    if identity.bag in ("handbag", "suitcase") and pose == "hands in pockets":
        pose = "standing"
    if view in ("back", "three-quarter back") and pose == "looking at a phone":
        pose = "walking"
    phone_side = -bag_side if identity.bag in ("handbag", "suitcase") else near_side
    if view in ("side", "three-quarter back") and pose == "calling" and phone_side != near_side:
        pose = "walking"
    return Shot(
        view=view,
        yaw=yaw % 360,
        pose=pose,
        phase=chance.randrange(1000),
        bag_side=bag_side,
        phone_side=phone_side,
        scene=weighted(chance, SCENES),
        occluder=weighted(chance, OCCLUDERS),
    )
