"""What stands in a scene behind the person: cars, trees, poles, and other people in the distance."""

from __future__ import annotations

import random

from PIL import ImageDraw

from tipr_zoo.synthpedes.palette import CLOTH, HAIR, SKIN, scaled, varied
from tipr_zoo.synthpedes.shot import HEIGHT, WIDTH

FINE = 2  # the background is drawn at twice its size

W, H = WIDTH * FINE, HEIGHT * FINE

Brush = ImageDraw.ImageDraw


def car(draw: Brush, horizon: int, chance: random.Random) -> None:
    """Draw a parked car, cut by the edge of the picture.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        horizon: Height of the horizon, in pixels from the top.
        chance: The picture's own random stream.
    """
    x, y = chance.choice((chance.randint(-60, -10), chance.randint(W - 50, W))), horizon + chance.randint(-4, 16)
    wide, high = 96, chance.randint(30, 40)
    colour = varied(chance.choice(((60, 62, 70), (180, 182, 186), (140, 40, 40), (48, 70, 120))), chance, 14)
    draw.ellipse([x, y - 3, x + wide, y + 5], fill=(58, 58, 60))
    draw.polygon([(x + 16, y - high), (x + wide - 22, y - high), (x + wide - 8, y - high // 2), (x + 4, y - high // 2)],
                 fill=scaled(colour, 70))  # fmt: skip
    draw.rounded_rectangle([x, y - high * 6 // 10, x + wide, y - 4], radius=6, fill=colour)
    for wheel in (x + 20, x + wide - 20):
        draw.ellipse([wheel - 8, y - 12, wheel + 8, y + 3], fill=(34, 34, 36))


def tree(draw: Brush, horizon: int, chance: random.Random) -> None:
    """Draw a trunk with leaves above.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        horizon: Height of the horizon, in pixels from the top.
        chance: The picture's own random stream.
    """
    x, wide = chance.randint(0, W), chance.randint(4, 9)
    draw.rectangle([x - wide, 0, x + wide, horizon + 12], fill=varied((84, 68, 54), chance, 12))
    green = varied((78, 102, 58), chance, 14)
    for _ in range(7):
        cx, cy, size = x + chance.randint(-34, 34), chance.randint(0, horizon // 2), chance.randint(14, 30)
        draw.ellipse([cx - size, cy - size, cx + size, cy + size], fill=scaled(green, chance.randint(74, 112)))


def pole(draw: Brush, horizon: int, chance: random.Random) -> None:
    """Draw a lamp post or a traffic sign behind the person.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        horizon: Height of the horizon, in pixels from the top.
        chance: The picture's own random stream.
    """
    x = chance.choice((chance.randint(2, 24), chance.randint(W - 24, W - 2)))
    foot = horizon + chance.randint(0, 40)
    draw.rectangle([x - 2, 0, x + 2, foot], fill=varied((110, 112, 116), chance, 14))
    if chance.randrange(2):
        y = chance.randint(20, 90)
        draw.ellipse(
            [x - 12, y - 12, x + 12, y + 12], fill=chance.choice(((170, 40, 44), (44, 84, 150), (200, 170, 60)))
        )
        draw.ellipse([x - 8, y - 8, x + 8, y + 8], fill=(220, 220, 216))


def passer_by(draw: Brush, horizon: int, chance: random.Random) -> None:
    """Draw a small figure in the distance.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        horizon: Height of the horizon, in pixels from the top.
        chance: The picture's own random stream.
    """
    x = chance.choice((chance.randint(4, 30), chance.randint(W - 30, W - 4)))
    high = chance.randint(50, 110)
    foot = horizon + chance.randint(6, 50)
    top = foot - high
    skin = varied(chance.choice(tuple(SKIN.values())), chance)
    shirt, legs = (varied(chance.choice(tuple(CLOTH.values())), chance) for _ in range(2))
    head, half, stride = high // 14, high // 8, chance.randint(1, high // 10)
    draw.ellipse([x - half, foot - 3, x + half, foot + 4], fill=(84, 84, 84))
    for step in (-stride, stride):
        draw.line([x + step // 3, top + high // 2, x + step, foot], fill=legs, width=max(3, high // 11))
    draw.rounded_rectangle([x - half, top + 2 * head, x + half, top + high * 55 // 100], radius=half // 2, fill=shirt)
    draw.ellipse([x - head, top, x + head, top + 2 * head + 2], fill=skin)
    draw.pieslice([x - head, top - 1, x + head, top + 2 * head], 180, 360, fill=chance.choice(tuple(HAIR.values())))
