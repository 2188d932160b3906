"""One picture: the person in front of the scene, drawn from the far parts to the near ones."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageDraw, ImageFilter

from tipr_zoo.synthpedes import bags
from tipr_zoo.synthpedes.background import background
from tipr_zoo.synthpedes.body import Figure, draw_neck, figure_colours
from tipr_zoo.synthpedes.bottoms import draw_leg, draw_seat, draw_skirt
from tipr_zoo.synthpedes.camera import take
from tipr_zoo.synthpedes.canvas import SCALE, Canvas, Projection
from tipr_zoo.synthpedes.head import draw_back_hair, draw_front_locks, draw_hat, draw_head
from tipr_zoo.synthpedes.identity import NONE, Identity
from tipr_zoo.synthpedes.occluder import draw_occluder
from tipr_zoo.synthpedes.pose import skeleton
from tipr_zoo.synthpedes.shoes import draw_shoe
from tipr_zoo.synthpedes.shot import HEIGHT, WIDTH, Shot
from tipr_zoo.synthpedes.tops import draw_arm, draw_torso


def draw_picture(identity: Identity, shot: Shot, chance: random.Random) -> bytes:
    """Draw one shot of an identity.

    Args:
        identity: The person.
        shot: How the picture is taken.
        chance: The picture's own random stream.

    Returns:
        A JPEG file of 64 x 192 pixels.
    """
    scene = background(shot.scene, chance)
    figure = placed(identity, shot, chance, scene)
    draw_figure(figure)
    picture = figure.canvas.picture.reduce(SCALE)
    draw_occluder(picture, shot, figure.project, chance)
    return take(picture, chance)


def placed(identity: Identity, shot: Shot, chance: random.Random, scene: Image.Image) -> Figure:
    """Put the figure on its canvas, with its shadow on the ground. Its size fills the frame.

    Args:
        identity: The person.
        shot: How the picture is taken.
        chance: The picture's own random stream.
        scene: The background, RGB, 64 x 192.
    """
    bones = skeleton(identity, shot, chance)
    yaw = math.radians(shot.yaw)
    tall = HEIGHT * SCALE * chance.uniform(0.875, 0.935)
    crown = 1.075 if identity.hair_style == "bun" else 1.045 if identity.hat != NONE else 1.035
    height = tall * (0.985 if identity.gender == "woman" else 1.0) / crown
    foot = HEIGHT * SCALE * chance.uniform(0.955, 0.975)
    upright = Projection(yaw, chance.uniform(0.1, 0.2), height, 1.0, 0.0, foot)
    # As if a wider crop were resized to 3:1. What would not fit is squeezed, by a quarter at most.
    names = ["elbow left", "elbow right", "wrist left", "wrist right", "toe left", "toe right", "ankle left"]
    xs = [upright(bones[name])[0] for name in names] + [-height * 0.12, height * 0.12]
    if identity.bag == "suitcase":
        xs += [upright((shot.bag_side * 0.2, 0.1, -0.2))[0]]
    if identity.bag == "backpack":
        xs += [upright((0.0, 0.7, -0.16))[0]]
    low, high = min(xs) - height * 0.028, max(xs) + height * 0.028
    squeeze = min(1.0, max(0.76, WIDTH * SCALE * 0.98 / (high - low)))
    middle = WIDTH * SCALE / 2 + chance.uniform(-1, 1) * SCALE * 2 - (low + high) / 2 * squeeze * 0.85
    project = Projection(yaw, upright.tilt, height, squeeze, middle, foot)
    light = chance.choice((-1, 1)) * chance.uniform(0.3, 1.0)
    canvas = Canvas(
        with_shadow(scene, project, light, chance).resize((WIDTH * SCALE, HEIGHT * SCALE), Image.Resampling.BILINEAR),
        light,
        chance.randint(15, 25),
    )
    return Figure(canvas, project, bones, identity, shot, chance, figure_colours(identity, chance))


def with_shadow(scene: Image.Image, project: Projection, light: float, chance: random.Random) -> Image.Image:
    """Add a soft shadow around the feet to the scene; it falls away from the light.

    Args:
        scene: The background, RGB, 64 x 192.
        project: The projection of the figure.
        light: Where the light comes from across the picture, from -1 (left) to 1 (right).
        chance: The picture's own random stream.
    """
    mask = Image.new("L", scene.size)
    draw = ImageDraw.Draw(mask)
    x, y = project.x / SCALE, project.y / SCALE
    reach = -light * chance.uniform(4, 16)
    depth = chance.randint(70, 130)
    draw.ellipse([round(x - 17), round(y - 4), round(x + 17), round(y + 4)], fill=depth)
    draw.polygon([(round(x - 9), round(y)), (round(x + 9), round(y)), (round(x + reach * 2.4 + 6), round(y - 9)),
                  (round(x + reach * 2.4 - 6), round(y - 9))], fill=depth * 7 // 10)  # fmt: skip
    mask = mask.filter(ImageFilter.GaussianBlur(2.4))
    return Image.composite(Image.new("RGB", scene.size, (14, 14, 20)), scene, mask)


def draw_figure(figure: Figure) -> None:
    """Draw every part of the person, far ones first."""
    identity, shot = figure.identity, figure.shot
    far, near = figure.sides()
    arm_parts = [(side, part) for side in (far, near) for part in ("upper", "lower")]
    behind = [item for item in arm_parts if arm_depth(figure, *item) < -0.04]
    back_depth = figure.project.depth((0.0, 0.0, -1.0))
    bag_near = bag_depth(figure) > -0.03

    if identity.bag == "suitcase" and not bag_near:
        bags.draw_suitcase(figure)
    for item in behind:
        draw_arm(figure, *item)
    if back_depth < 0.1:
        draw_back_hair(figure)
    if identity.bag == "backpack" and back_depth < 0.3:
        bags.draw_backpack(figure)
    for side in (far, near):
        if identity.shoes == "boots" and identity.bottom in ("trousers", "jeans"):
            draw_shoe(figure, side)
            draw_leg(figure, side)
        else:
            draw_leg(figure, side)
            draw_shoe(figure, side)
    draw_seat(figure)
    draw_skirt(figure)
    draw_neck(figure)
    draw_torso(figure)
    if identity.bag == "backpack":
        bags.draw_backpack_straps(figure)
        if back_depth >= 0.3:
            bags.draw_backpack(figure)
    if back_depth >= 0.1:
        draw_back_hair(figure)
    draw_head(figure)
    draw_front_locks(figure)
    draw_hat(figure)
    if identity.bag == "shoulder bag":
        bags.draw_shoulder_bag(figure)
    for item in arm_parts:
        if item not in behind:
            draw_arm(figure, *item)
    if identity.bag == "handbag":
        bags.draw_handbag(figure)
    if identity.bag == "suitcase" and bag_near:
        bags.draw_suitcase(figure)
    if shot.pose in ("calling", "looking at a phone"):
        draw_phone(figure)


def arm_depth(figure: Figure, side: str, part: str) -> float:
    """Compute how far in front of the trunk a part of an arm is, in body heights.

    Args:
        figure: The figure.
        side: ``"left"`` or ``"right"``.
        part: ``"upper"`` for the upper arm, ``"lower"`` for the forearm.
    """
    joints = ("shoulder", "elbow") if part == "upper" else ("elbow", "wrist")
    return figure.depth(*(f"{joint} {side}" for joint in joints))


def bag_depth(figure: Figure) -> float:
    """Compute how far in front of the trunk the hand with the bag is, in body heights."""
    side = "left" if figure.shot.bag_side > 0 else "right"
    if figure.identity.bag == "suitcase":
        return figure.project.depth((figure.shot.bag_side * 0.15, 0.0, -0.15))
    return figure.depth(f"wrist {side}") if figure.identity.bag != NONE else 0.0


def draw_phone(figure: Figure) -> None:
    """Draw the phone in the hand, if the hand is not behind the body."""
    side = "left" if figure.shot.phone_side > 0 else "right"
    x, y, z = figure.skeleton[f"wrist {side}"]
    calling = figure.shot.pose == "calling"
    if not calling and figure.shot.shows_back:
        return
    centre = (x, y + (0.03 if calling else 0.035), z + (0.0 if calling else 0.03))
    if figure.project.depth(centre) < -0.03:
        return
    px, py = figure.project(centre)
    wide, high = figure.pixels(0.013), figure.pixels(0.026)
    lean = wide * 0.5
    figure.canvas.fill(
        [(px - wide + lean, py - high), (px + wide + lean, py - high), (px + wide - lean, py + high),
         (px - wide - lean, py + high)],
        (24, 24, 30),
    )  # fmt: skip
