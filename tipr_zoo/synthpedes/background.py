"""The scene behind the person: streets, walls, shops, grass and crossings, with things and people in them."""

from __future__ import annotations

import random
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

from tipr_zoo.synthpedes.bystanders import FINE, Brush, H, W, car, passer_by, pole, tree
from tipr_zoo.synthpedes.palette import CLOTH, Colour, mixed, scaled, varied


def background(scene: str, chance: random.Random) -> Image.Image:
    """Draw the scene behind the person, a little out of focus; RGB, 64 x 192."""
    picture = Image.new("RGB", (W, H))
    draw = ImageDraw.Draw(picture)
    horizon = chance.randint(H * 40 // 100, H * 66 // 100)
    SCENES[scene](draw, horizon, chance)
    small = picture.reduce(FINE)
    return small.filter(ImageFilter.GaussianBlur(chance.uniform(0.5, 1.3)))


def gradient(draw: Brush, top: int, bottom: int, first: Colour, second: Colour) -> None:
    """Draw bands from one colour to another.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        top: Where the bands begin, in pixels from the top.
        bottom: Where they end.
        first: Colour at the top.
        second: Colour at the bottom.
    """
    steps = 12
    for step in range(steps):
        y0 = top + (bottom - top) * step // steps
        y1 = top + (bottom - top) * (step + 1) // steps
        draw.rectangle([0, y0, W, y1], fill=mixed(first, second, step * 100 // (steps - 1)))


def pavement(draw: Brush, horizon: int, chance: random.Random, base: Colour) -> None:
    """Draw the ground with joints that run to a vanishing point.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        horizon: Height of the horizon, in pixels from the top.
        chance: The picture's own random stream.
        base: The colour of the ground.
    """
    gradient(draw, horizon, H, scaled(base, 92), scaled(base, 108))
    if chance.randrange(3):
        line = scaled(base, chance.choice((82, 88, 112)))
        y, step = horizon + 4, 5
        while y < H:
            draw.line([0, y, W, y], fill=line)
            y, step = y + step, step + chance.randint(3, 6)
        vanish = chance.randint(-20, W + 20)
        for x in range(-160, W + 200, chance.choice((32, 44, 60))):
            draw.line([vanish + (x - vanish) // 4, horizon, x, H], fill=line)
    for _ in range(chance.randint(0, 4)):
        x, y = chance.randint(0, W), chance.randint(horizon, H)
        size = chance.randint(4, 16)
        draw.ellipse(
            [x - size, y - size // 4, x + size, y + size // 4], fill=scaled(base, chance.choice((84, 90, 110)))
        )


def ground_colour(chance: random.Random) -> Colour:
    """Choose the colour of asphalt, concrete or paving stones."""
    return varied(chance.choice(((128, 128, 126), (160, 156, 148), (142, 132, 120), (108, 110, 114))), chance, 12)


def facade_colour(chance: random.Random) -> Colour:
    """Choose the colour of plaster, brick or stone."""
    choices = ((176, 166, 150), (150, 110, 92), (190, 188, 182), (126, 130, 136), (168, 140, 112), (206, 198, 180))
    return varied(chance.choice(choices), chance, 14)


def street(draw: Brush, horizon: int, chance: random.Random) -> None:
    """Draw houses, cars, trees and other people beyond a pavement.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        horizon: Height of the horizon, in pixels from the top.
        chance: The picture's own random stream.
    """
    gradient(draw, 0, horizon, (186, 198, 210), (206, 206, 202))
    x = -chance.randint(0, 30)
    while x < W:
        wide = chance.randint(26, 70)
        colour = facade_colour(chance)
        top = chance.randint(-10, horizon // 3)
        draw.rectangle([x, top, x + wide, horizon], fill=colour)
        windows(draw, x, max(0, top), wide, horizon, colour, chance)
        x += wide
    pavement(draw, horizon, chance, ground_colour(chance))
    for _ in range(chance.randint(0, 2)):
        car(draw, horizon, chance)
    if chance.randrange(2):
        tree(draw, horizon, chance)
    for _ in range(chance.randint(0, 2)):
        passer_by(draw, horizon, chance)
    if chance.randrange(3) == 0:
        pole(draw, horizon, chance)


def windows(draw: Brush, left: int, top: int, wide: int, bottom: int, colour: Colour, chance: random.Random) -> None:
    """Draw rows of dark windows on a house.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        left: Left edge of the house, in pixels.
        top: Its upper edge.
        wide: Its width.
        bottom: Its lower edge.
        colour: Its colour.
        chance: The picture's own random stream.
    """
    pane = scaled(colour, chance.choice((48, 58, 70)))
    step = chance.randint(16, 26)
    for y in range(top + 6, bottom - 16, step + 6):
        for x in range(left + 5, left + wide - 8, step):
            draw.rectangle([x, y, x + step * 5 // 9, y + step * 7 // 9], fill=pane)


def wall(draw: Brush, horizon: int, chance: random.Random) -> None:
    """Draw a wall close behind the person, of plaster, bricks or panels.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        horizon: Height of the horizon, in pixels from the top.
        chance: The picture's own random stream.
    """
    colour = facade_colour(chance)
    bottom = chance.randint(H * 60 // 100, H * 80 // 100)
    gradient(draw, 0, bottom, scaled(colour, 106), scaled(colour, 92))
    kind = chance.randrange(3)
    if kind == 0:
        line = scaled(colour, 86)
        high, wide = chance.choice(((8, 20), (10, 26)))
        for row, y in enumerate(range(0, bottom, high)):
            draw.line([0, y, W, y], fill=line)
            for x in range(wide // 2 * (row % 2), W, wide):
                draw.line([x, y, x, y + high], fill=line)
    elif kind == 1:
        for x in range(chance.randint(0, 40), W, chance.randint(36, 60)):
            draw.line([x, 0, x, bottom], fill=scaled(colour, 82), width=2)
    for _ in range(chance.randint(0, 2)):
        x, y = chance.randint(-10, W - 20), chance.randint(0, H // 2)
        wide, high = chance.randint(16, 40), chance.randint(16, 50)
        draw.rectangle([x, y, x + wide, y + high], fill=varied(chance.choice(tuple(CLOTH.values())), chance, 20))
        draw.rectangle([x + 3, y + 3, x + wide - 3, y + high - 3], fill=facade_colour(chance))
    pavement(draw, bottom, chance, ground_colour(chance))
    if chance.randrange(4) == 0:
        pole(draw, bottom, chance)


def shop(draw: Brush, horizon: int, chance: random.Random) -> None:
    """Draw a shop window with goods, lit from inside.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        horizon: Height of the horizon, in pixels from the top.
        chance: The picture's own random stream.
    """
    colour = facade_colour(chance)
    bottom = chance.randint(H * 60 // 100, H * 76 // 100)
    draw.rectangle([0, 0, W, bottom], fill=colour)
    sign = varied(chance.choice(tuple(CLOTH.values())), chance, 16)
    top = chance.randint(20, 70)
    draw.rectangle([0, top - 18, W, top], fill=sign)
    for x in range(chance.randint(4, 20), W - 10, 12):
        draw.rectangle([x, top - 13, x + chance.randint(4, 8), top - 6], fill=(226, 222, 210))
    glass = varied(chance.choice(((84, 92, 98), (150, 140, 118), (60, 66, 76))), chance, 12)
    x = -chance.randint(0, 40)
    while x < W:
        wide = chance.randint(46, 80)
        draw.rectangle([x + 3, top + 4, x + wide, bottom - 10], fill=glass)
        for _ in range(5):
            gx, gy = chance.randint(x, x + wide - 8), chance.randint(top + 20, bottom - 30)
            size = chance.randint(4, 12)
            goods = mixed(chance.choice(tuple(CLOTH.values())), glass, 35)
            draw.rectangle([gx, gy, gx + size, gy + size * 2], fill=goods)
        draw.polygon([(x + 10, top + 4), (x + 24, top + 4), (x + 4, bottom - 10), (x + 3, bottom - 10)],
                     fill=scaled(glass, 116))  # fmt: skip
        x += wide
    pavement(draw, bottom, chance, ground_colour(chance))
    for _ in range(chance.randint(0, 2)):
        passer_by(draw, bottom - 10, chance)


def grass(draw: Brush, horizon: int, chance: random.Random) -> None:
    """Draw a park with a path, bushes and trees.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        horizon: Height of the horizon, in pixels from the top.
        chance: The picture's own random stream.
    """
    gradient(draw, 0, horizon, (176, 196, 204), (196, 206, 196))
    green = varied((96, 122, 66), chance, 14)
    for _ in range(8):
        x, size = chance.randint(0, W), chance.randint(18, 44)
        y = horizon - chance.randint(0, 40)
        draw.ellipse([x - size, y - size, x + size, y + size], fill=scaled(green, chance.randint(58, 92)))
    gradient(draw, horizon, H, scaled(green, 92), scaled(green, 112))
    for _ in range(70):
        x, y = chance.randint(0, W), chance.randint(horizon, H)
        draw.line([x, y, x + chance.randint(-2, 2), y - 5], fill=scaled(green, chance.randint(76, 124)))
    if chance.randrange(3):
        path, middle = varied((176, 164, 142), chance, 10), chance.randint(-10, W + 10)
        draw.polygon([(middle - 14, horizon), (middle + 14, horizon), (W + 30, H), (-30, H)], fill=path)
    for _ in range(chance.randint(0, 2)):
        tree(draw, horizon, chance)
    if chance.randrange(2):
        passer_by(draw, horizon, chance)


def crossing(draw: Brush, horizon: int, chance: random.Random) -> None:
    """Draw a zebra crossing on a road.

    Args:
        draw: Where to draw, at `FINE` times the picture's size.
        horizon: Height of the horizon, in pixels from the top.
        chance: The picture's own random stream.
    """
    road = varied((92, 94, 98), chance, 12)
    colour = facade_colour(chance)
    draw.rectangle([0, 0, W, horizon], fill=colour)
    windows(draw, 0, 0, W, horizon, colour, chance)
    gradient(draw, horizon, H, scaled(road, 94), scaled(road, 108))
    paint = varied((206, 206, 200), chance, 10)
    if chance.randrange(2):
        y, high = horizon + 20, 8
        while y < H:
            draw.polygon([(0, y), (W, y - 4), (W, y + high - 4), (0, y + high)], fill=paint)
            y, high = y + high * 2, high + 4
    else:
        vanish = chance.randint(0, W)
        for x in range(-120, W + 120, 52):
            far = vanish + (x - vanish) // 3
            draw.polygon([(far, horizon + 30), (far + 9, horizon + 30), (x + 26, H), (x, H)], fill=paint)
    for _ in range(chance.randint(0, 2)):
        car(draw, horizon, chance)
    for _ in range(chance.randint(0, 2)):
        passer_by(draw, horizon, chance)
    if chance.randrange(2):
        pole(draw, horizon, chance)


SCENES: dict[str, Callable[[Brush, int, random.Random], None]] = {
    "street": street,
    "wall": wall,
    "shop": shop,
    "grass": grass,
    "crossing": crossing,
}
