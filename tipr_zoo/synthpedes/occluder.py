"""Things in front of the person: a pole, a box at the feet, another person's shoulder."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw, ImageFilter

from tipr_zoo.synthpedes.canvas import SCALE, Projection
from tipr_zoo.synthpedes.identity import NONE
from tipr_zoo.synthpedes.palette import CLOTH, scaled, varied
from tipr_zoo.synthpedes.shot import HEIGHT, WIDTH, Shot


def draw_occluder(picture: Image.Image, shot: Shot, project: Projection, chance: random.Random) -> None:
    """Draw the shot's occluder in front of the person. It hides at most a fifth of the figure.

    Args:
        picture: RGB, 64 x 192; changed in place.
        shot: How the picture is taken.
        project: The projection of the figure.
        chance: The picture's own random stream.
    """
    if shot.occluder == NONE:
        return
    layer, mask = Image.new("RGB", picture.size), Image.new("L", picture.size)
    draw, cover = ImageDraw.Draw(layer), ImageDraw.Draw(mask)
    middle = project.x / SCALE
    if shot.occluder == "pole":
        x = round(middle + chance.choice((-1, 1)) * chance.uniform(7, 17))
        wide = chance.randint(2, 4)
        colour = varied((104, 106, 110), chance, 20)
        cover.rectangle([x - wide, 0, x + wide, HEIGHT], fill=255)
        for step in range(2 * wide + 1):
            draw.line([x - wide + step, 0, x - wide + step, HEIGHT], fill=scaled(colour, 118 - 60 * step // (2 * wide)))
    elif shot.occluder == "box":
        side, top = chance.choice((0, 1)), chance.randint(HEIGHT - 34, HEIGHT - 24)
        left, right = (-2, round(middle + 4)) if side else (round(middle - 4), WIDTH + 2)
        colour = varied(chance.choice(((150, 116, 78), (96, 104, 96), (120, 122, 126))), chance, 14)
        cover.rectangle([left, top, right, HEIGHT], fill=255)
        draw.rectangle([left, top, right, HEIGHT], fill=colour)
        draw.rectangle([left, top, right, top + 5], fill=scaled(colour, 120))
        draw.line([(left + right) // 2, top + 5, (left + right) // 2, HEIGHT], fill=scaled(colour, 84))
    else:
        side = chance.choice((0, 1))
        edge, inward = (0, 1) if side else (WIDTH, -1)
        top = chance.randint(HEIGHT * 44 // 100, HEIGHT * 54 // 100)
        colour = scaled(varied(chance.choice(tuple(CLOTH.values())), chance, 14), 78)
        reach = chance.randint(9, 12)
        xs = [edge - inward * 4, edge + inward * 3, edge + inward * (reach - 3), edge + inward * reach]
        xs += [edge + inward * (reach + 1), edge + inward * (reach - 1), edge - inward * 4]
        ys = [top - 6, top - 2, top + 5, top + 16, top + 52, HEIGHT, HEIGHT]
        outline = list(zip(xs, ys, strict=True))
        cover.polygon(outline, fill=255)
        draw.polygon(outline, fill=colour)
        inner = edge + inward * (reach - 6)
        draw.line([(inner, top + 26), (inner - inward, HEIGHT)], fill=scaled(colour, 70), width=2)
        draw.line([(inner + inward * 3, top + 12), (inner + inward * 3, HEIGHT)], fill=scaled(colour, 116), width=2)
    layer = layer.filter(ImageFilter.GaussianBlur(0.8))
    picture.paste(layer, mask=mask.filter(ImageFilter.GaussianBlur(0.9)))
