"""The effects of the camera: light, a colour cast, blur, noise and JPEG."""

from __future__ import annotations

import io
import random

import numpy as np
from PIL import Image, ImageFilter

from tipr_zoo.synthpedes.shot import HEIGHT, WIDTH


def take(picture: Image.Image, chance: random.Random) -> bytes:
    """Store the picture as a surveillance camera does.

    Args:
        picture: RGB, 64 x 192.
        chance: The picture's own random stream.

    Returns:
        A JPEG file.
    """
    picture = exposed(picture, chance)
    if chance.randrange(100) < 30:
        share = chance.uniform(0.62, 0.9)
        small = (round(WIDTH * share), round(HEIGHT * share))
        picture = picture.resize(small, Image.Resampling.BOX).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    elif chance.randrange(100) < 35:
        picture = picture.filter(ImageFilter.GaussianBlur(chance.uniform(0.3, 0.75)))
    picture = noisy(picture, chance)
    if chance.randrange(100) < 30:
        picture = Image.open(io.BytesIO(encoded(picture, chance.randint(38, 65)))).convert("RGB")
    return encoded(picture, chance.randint(86, 92))


def exposed(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Change brightness, contrast and colour cast, with one table of 256 values a channel."""
    gain, contrast = chance.uniform(0.82, 1.14), chance.uniform(0.86, 1.1)
    lift = chance.uniform(0, 12)
    warmth, tint = chance.uniform(-0.055, 0.055), chance.uniform(-0.025, 0.025)
    table: list[int] = []
    for cast in (1 + warmth, 1 + tint, 1 - warmth):
        # In whole 4096ths: every machine rounds these alike.
        slope, start = round(contrast * gain * cast * 4096), round(((118 - 118 * contrast) * gain * cast + lift) * 4096)
        table += [min(255, max(0, (value * slope + start) >> 12)) for value in range(256)]
    return picture.point(table)


def noisy(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Add sensor noise: the sum of two uniform draws a channel, in whole numbers."""
    strength = chance.randint(0, 5)
    if not strength:
        return picture
    pixels = np.asarray(picture, dtype=np.int16)
    draws = np.frombuffer(chance.randbytes(pixels.size), dtype=np.uint8).reshape(pixels.shape).astype(np.int16)
    noise = ((draws & 15) + (draws >> 4) - 15) * strength // 6
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, quality: int) -> bytes:
    """Encode the picture as a JPEG file."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()
