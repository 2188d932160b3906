"""The colours of cloth, skin, hair and leather, and how they vary from picture to picture."""

from __future__ import annotations

import random

Colour = tuple[int, int, int]

CLOTH: dict[str, Colour] = {
    "black": (36, 36, 40),
    "white": (228, 228, 224),
    "grey": (130, 132, 136),
    "red": (180, 36, 42),
    "pink": (226, 138, 166),
    "orange": (222, 118, 38),
    "yellow": (226, 194, 62),
    "green": (48, 118, 70),
    "light blue": (138, 182, 222),
    "blue": (44, 92, 186),
    "navy": (32, 44, 98),
    "purple": (116, 64, 148),
    "brown": (104, 66, 42),
    "beige": (206, 182, 142),
}
SKIN: dict[str, Colour] = {"light": (232, 194, 168), "tan": (198, 148, 112), "dark": (112, 74, 54)}
HAIR: dict[str, Colour] = {
    "black": (30, 27, 28),
    "brown": (86, 56, 36),
    "blond": (204, 168, 98),
    "red": (156, 72, 34),
    "grey": (166, 166, 168),
}

# Pairs that light and a colour cast can turn into each other. Near twins never differ by one of these.
LOOKALIKE: frozenset[frozenset[str]] = frozenset(
    frozenset(pair)
    for pair in (
        ("black", "navy"),
        ("black", "brown"),
        ("navy", "blue"),
        ("navy", "purple"),
        ("white", "beige"),
        ("white", "light blue"),
        ("grey", "light blue"),
        ("grey", "beige"),
        ("grey", "white"),
        ("yellow", "beige"),
        ("yellow", "orange"),
        ("orange", "red"),
        ("brown", "red"),
        ("orange", "brown"),
        ("pink", "beige"),
        ("blond", "grey"),
        ("brown", "blond"),
    )
)


def look_alike(first: str, second: str) -> bool:
    """Return whether two colour names may be confused in poor light."""
    return first == second or frozenset((first, second)) in LOOKALIKE


def varied(colour: Colour, chance: random.Random, amount: int = 9) -> Colour:
    """Vary a colour for one picture: a little lighter or darker, and a little different in each channel.

    Args:
        colour: Red, green and blue, each from 0 to 255.
        chance: The picture's own random stream.
        amount: The largest common change of the channels; each changes by up to a third of it besides.
    """
    common = chance.randint(-amount, amount)
    third = max(1, amount // 3)
    red, green, blue = (clamp(channel + common + chance.randint(-third, third)) for channel in colour)
    return red, green, blue


def scaled(colour: Colour, percent: int) -> Colour:
    """Make a colour darker (below 100 percent) or lighter (above)."""
    red, green, blue = (clamp(channel * percent // 100) for channel in colour)
    return red, green, blue


def mixed(first: Colour, second: Colour, percent: int) -> Colour:
    """Mix two colours.

    Args:
        first: Red, green and blue, each from 0 to 255.
        second: Red, green and blue, each from 0 to 255.
        percent: The share of the second colour.

    >>> mixed((0, 0, 0), (200, 100, 0), 25)
    (50, 25, 0)
    """
    red, green, blue = ((a * (100 - percent) + b * percent) // 100 for a, b in zip(first, second, strict=True))
    return red, green, blue


def contrasting(colour: Colour) -> Colour:
    """Return a light colour for a dark ground, and a dark one for a light ground."""
    return (44, 46, 56) if is_light(colour) else (232, 230, 224)


def is_light(colour: Colour) -> bool:
    """Return whether a dark line shows better on a colour than a light one."""
    return sum(colour) >= 380


def clamp(channel: int) -> int:
    """Return the nearest value that a byte holds."""
    return 0 if channel < 0 else 255 if channel > 255 else channel
