"""Identities: the attributes of a person, and the near twins that differ in exactly one of them."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from typing import Any

from tipr_zoo.errors import ConfigError
from tipr_zoo.synthpedes.palette import CLOTH, HAIR, look_alike
from tipr_zoo.synthpedes.streams import stream

SPLITS = ("train", "val", "test")
NONE = "none"

CLOTH_COLOURS = tuple(CLOTH)
JEANS_COLOURS = ("blue", "navy", "light blue", "black", "grey")
SHOE_COLOURS = ("black", "white", "brown", "red", "grey", "blue", "beige", "pink")
BAG_COLOURS = ("black", "brown", "red", "blue", "beige", "green", "grey", "pink", "yellow")
HAT_COLOURS = ("black", "white", "red", "navy", "grey", "green", "beige", "yellow", "blue")

OPEN_TOPS = ("jacket", "coat", "vest")
PATTERNED_TOPS = ("t-shirt", "sweater", "button-up", "dress", "tank top")
LOGO_TOPS = ("t-shirt", "sweater", "hoodie")


@dataclass(frozen=True)
class Identity:
    """The attributes that stay the same in every picture of a person. ``"none"`` stands for nothing to describe."""

    gender: str
    build: str
    skin: str
    hair_style: str
    hair_colour: str
    top: str
    top_colour: str
    top_pattern: str
    inner_colour: str
    bottom: str
    bottom_colour: str
    shoes: str
    shoe_colour: str
    bag: str
    bag_colour: str
    hat: str
    hat_colour: str
    glasses: bool

    def differences(self, other: Identity) -> tuple[str, ...]:
        """Return the names of the attributes in which two identities differ."""
        names = (field.name for field in dataclasses.fields(self))
        return tuple(name for name in names if getattr(self, name) != getattr(other, name))


# value: (weight for a man, weight for a woman)
HAIR_STYLES = {
    "short": (60, 12),
    "curly": (12, 10),
    "bald": (12, 0),
    "long": (6, 36),
    "ponytail": (2, 20),
    "bun": (1, 14),
    "bob": (0, 18),
}
TOPS = {
    "t-shirt": (24, 18),
    "sweater": (14, 14),
    "button-up": (14, 8),
    "hoodie": (13, 9),
    "jacket": (16, 14),
    "coat": (9, 10),
    "vest": (7, 5),
    "tank top": (4, 8),
    "dress": (0, 15),
}
BOTTOMS = {
    "trousers": (40, 20),
    "jeans": (36, 26),
    "shorts": (24, 14),
    "leggings": (0, 12),
    "skirt": (0, 18),
    "long skirt": (0, 12),
}
SHOES = {"sneakers": (56, 34), "boots": (20, 22), "sandals": (12, 18), "heels": (0, 22), "leather shoes": (18, 4)}
BAGS = {NONE: (38, 28), "backpack": (30, 20), "shoulder bag": (16, 20), "handbag": (4, 24), "suitcase": (12, 10)}
HATS = {NONE: (62, 68), "cap": (20, 10), "beanie": (12, 10), "brimmed hat": (8, 12)}
HAIR_COLOURS = {"black": 34, "brown": 30, "blond": 16, "red": 9, "grey": 11}
BUILDS = {"slim": 30, "average": 48, "heavy": 22}
SKINS = {"light": 46, "tan": 30, "dark": 24}
PATTERNS = {"plain": 46, "stripes": 22, "checks": 14, "dots": 10, "logo": 18}

# How often near twins differ in each attribute. All of these show in every view.
TWIN_ATTRIBUTES = {
    "top_colour": 26,
    "bottom_colour": 24,
    "top": 10,
    "bottom": 9,
    "top_pattern": 7,
    "shoe_colour": 4,
    "bag": 5,
    "bag_colour": 6,
    "hat_colour": 5,
    "hat": 3,
    "hair_colour": 5,
    "hair_style": 4,
}

LONG_SLEEVES = ("sweater", "button-up", "hoodie")
SHORT_SLEEVES = ("t-shirt", "tank top")
TWIN_KINDS: dict[str, dict[str, tuple[str, ...]]] = {
    "top": {
        **dict.fromkeys(LONG_SLEEVES, SHORT_SLEEVES),
        **dict.fromkeys(SHORT_SLEEVES, LONG_SLEEVES),
        "jacket": ("vest", "coat"),
        "coat": ("vest", "jacket"),
        "vest": ("jacket", "coat"),
    },
    "bottom": {
        "trousers": ("shorts",),
        "jeans": ("shorts",),
        "leggings": ("skirt", "shorts"),
        "shorts": ("trousers", "jeans"),
        "skirt": ("long skirt", "trousers"),
        "long skirt": ("skirt",),
    },
    "hat": {"cap": ("brimmed hat",), "beanie": ("brimmed hat",), "brimmed hat": ("cap", "beanie")},
    "hair_style": {"short": ("long",), "curly": ("long",), "long": ("short", "bun"), "ponytail": ("long",)},
}


def identities(split: str, count: int, *, seed: int = 0) -> list[Identity]:
    """Draw the identities of a split, in order; a larger count never changes the first ones.

    In the test split, the identities ``2k`` and ``2k + 1`` are near twins: they differ in exactly one attribute. In the
    training and validation splits, every other pair are near twins. No two identities of a split are equal.

    Args:
        split: ``"train"``, ``"val"`` or ``"test"``.
        count: Number of identities; even for the test split.
        seed: Seed of the data set.

    Returns:
        `count` identities.

    Raises:
        ConfigError: The split is unknown, or the count cannot be drawn.
    """
    if split not in SPLITS:
        raise ConfigError(f"unknown split {split!r} of SynthPEDES; known: {', '.join(SPLITS)}")
    if count < 0 or (split == "test" and count % 2):
        raise ConfigError(f"SynthPEDES draws its test identities in pairs: {count} must be even and not negative")
    drawn: list[Identity] = []
    seen: dict[Identity, None] = {}
    for index in range(count):
        chance = stream(seed, split, index, "identity")
        is_twin = index % 2 == 1 and (split == "test" or index % 4 == 1)
        while True:
            identity = near_twin(drawn[-1], chance) if is_twin else random_identity(chance)
            if identity not in seen:
                break
        drawn.append(identity)
        seen[identity] = None
    return drawn


def twin_attribute(split: str, index: int, of_split: list[Identity]) -> str:
    """Name the attribute in which an identity differs from its near twin; ``"none"`` if it has no twin.

    Args:
        split: ``"train"``, ``"val"`` or ``"test"``.
        index: Place of the identity in its split, from 0.
        of_split: The identities of the split.
    """
    if split != "test" and index % 4 > 1:
        return NONE
    other = index ^ 1
    return of_split[index].differences(of_split[other])[0] if other < len(of_split) else NONE


def weighted(chance: random.Random, weights: dict[str, int]) -> str:
    """Choose one of the keys, as often as its whole-number weight says."""
    ticket = chance.randrange(sum(weights.values()))
    for value, weight in weights.items():
        ticket -= weight
        if ticket < 0:
            return value
    raise AssertionError("weights are positive")


def random_identity(chance: random.Random) -> Identity:
    """Draw a plausible identity: it wears nothing that would be hidden or is never worn together."""
    while True:
        identity = any_identity(chance)
        if is_plausible(identity):
            return identity


def any_identity(chance: random.Random) -> Identity:
    """Draw attributes one by one, plausible or not."""
    gender = chance.choice(("man", "woman"))
    column = ("man", "woman").index(gender)

    def pick(table: dict[str, tuple[int, int]]) -> str:
        return weighted(chance, {value: weights[column] for value, weights in table.items()})

    top, bottom, bag, hat = pick(TOPS), pick(BOTTOMS), pick(BAGS), pick(HATS)
    hair_style = pick(HAIR_STYLES)
    pattern = weighted(chance, PATTERNS)
    inner = chance.choice(CLOTH_COLOURS)
    bottom_colour = chance.choice(JEANS_COLOURS if bottom == "jeans" else CLOTH_COLOURS)
    return Identity(
        gender=gender,
        build=weighted(chance, BUILDS),
        skin=weighted(chance, SKINS),
        hair_style=hair_style,
        hair_colour=NONE if hair_style == "bald" else weighted(chance, HAIR_COLOURS),
        top=top,
        top_colour=chance.choice(CLOTH_COLOURS),
        top_pattern=pattern if pattern in allowed_patterns(top) else "plain",
        inner_colour=inner if top in OPEN_TOPS else NONE,
        bottom=NONE if top == "dress" else bottom,
        bottom_colour=NONE if top == "dress" else bottom_colour,
        shoes=pick(SHOES),
        shoe_colour=chance.choice(SHOE_COLOURS),
        bag=bag,
        bag_colour=NONE if bag == NONE else chance.choice(BAG_COLOURS),
        hat=hat,
        hat_colour=NONE if hat == NONE else chance.choice(HAT_COLOURS),
        glasses=chance.randrange(100) < 22,
    )


def allowed_patterns(top: str) -> tuple[str, ...]:
    """List the patterns that a kind of top is made in."""
    patterns = ("plain", "stripes", "checks", "dots") if top in PATTERNED_TOPS else ("plain",)
    return (*patterns, "logo") if top in LOGO_TOPS else patterns


def is_plausible(identity: Identity) -> bool:
    """Return whether the attributes can be worn together and each of them shows."""
    if identity.top in OPEN_TOPS:
        if identity.inner_colour == NONE or look_alike(identity.inner_colour, identity.top_colour):
            return False
    elif identity.inner_colour != NONE:
        return False
    if identity.top == "coat" and identity.bottom not in ("trousers", "jeans", "leggings"):
        return False
    if identity.bottom == "jeans" and identity.bottom_colour not in JEANS_COLOURS:
        return False
    if identity.top_pattern not in allowed_patterns(identity.top):
        return False
    if identity.hat != NONE and identity.hair_style in ("bald", "bun", "curly"):
        return False
    if identity.shoes == "leather shoes" and identity.bottom not in ("trousers", "jeans"):
        return False
    if (identity.hair_style == "bald") != (identity.hair_colour == NONE):
        return False
    return identity.shoes != "boots" or identity.bottom != "long skirt"


def near_twin(identity: Identity, chance: random.Random) -> Identity:
    """Draw another plausible identity that differs in exactly one attribute, which shows in every view."""
    while True:
        attribute = weighted(chance, TWIN_ATTRIBUTES)
        old = getattr(identity, attribute)
        if old == NONE:
            continue
        new = chance.choice(twin_values(identity, attribute))
        if new in (old, NONE) or (attribute.endswith("colour") and look_alike(new, old)):
            continue
        change: dict[str, Any] = {attribute: new}
        twin = dataclasses.replace(identity, **change)
        if is_plausible(twin):
            return twin


def twin_values(identity: Identity, attribute: str) -> tuple[str, ...]:
    """List the values that a near twin may have instead. All of them differ plainly at a glance from every side."""
    column = ("man", "woman").index(identity.gender)
    if attribute == "bag":
        return tuple(bag for bag, weights in BAGS.items() if bag != NONE and weights[column])
    if attribute == "top_pattern":
        return tuple(value for value in allowed_patterns(identity.top) if value != "logo")
    if attribute == "bottom_colour" and identity.bottom == "jeans":
        return JEANS_COLOURS
    if attribute in TWIN_KINDS:
        return TWIN_KINDS[attribute].get(getattr(identity, attribute), (NONE,))
    colours = {"shoe_colour": SHOE_COLOURS, "bag_colour": BAG_COLOURS, "hat_colour": HAT_COLOURS}
    return tuple(HAIR) if attribute == "hair_colour" else colours.get(attribute, CLOTH_COLOURS)
