"""The words of the captions: synonyms for every attribute value, and noun phrases made of them."""

from __future__ import annotations

import random

from tipr_zoo.synthpedes.identity import NONE, Identity
from tipr_zoo.synthpedes.palette import CLOTH, contrasting, is_light
from tipr_zoo.synthpedes.shot import Shot

PERSON = {
    "man": ("man", "man", "man", "guy", "male", "gentleman", "male pedestrian"),
    "woman": ("woman", "woman", "woman", "lady", "female", "girl", "female pedestrian"),
}
PRONOUN = {"man": ("he", "his"), "woman": ("she", "her")}
BUILD = {
    "slim": ("slim", "thin", "slender", "skinny"),
    "average": ("average sized",),
    "heavy": ("heavyset", "stocky", "heavy", "large", "overweight"),
}
SKIN = {
    "light": ("fair skin", "light skin", "pale skin"),
    "tan": ("tanned skin", "tan skin", "olive skin"),
    "dark": ("dark skin", "dark brown skin"),
}
COLOUR = {
    "black": ("black", "black", "black", "jet black"),
    "white": ("white", "white", "white", "off white"),
    "grey": ("grey", "gray"),
    "red": ("red", "red", "bright red", "crimson"),
    "pink": ("pink", "pink", "light pink", "rose colored"),
    "orange": ("orange", "orange", "bright orange"),
    "yellow": ("yellow", "yellow", "bright yellow", "mustard"),
    "green": ("green", "green", "dark green", "forest green"),
    "light blue": ("light blue", "sky blue", "pale blue", "baby blue"),
    "blue": ("blue", "blue", "bright blue", "royal blue"),
    "navy": ("navy", "navy blue", "dark blue", "dark navy"),
    "purple": ("purple", "purple", "violet"),
    "brown": ("brown", "brown", "dark brown"),
    "beige": ("beige", "tan", "khaki", "cream colored"),
}
HAIR_COLOUR = {
    "black": ("black", "black", "dark"),
    "brown": ("brown", "brown", "dark brown", "brunette"),
    "blond": ("blond", "blonde", "light blond"),
    "red": ("red", "ginger", "reddish"),
    "grey": ("grey", "gray", "silver"),
}
TOP = {
    "t-shirt": ("t-shirt", "tee shirt", "short sleeved shirt", "short sleeve t-shirt", "tee"),
    "sweater": ("sweater", "pullover", "long sleeved shirt", "jumper", "long sleeve top"),
    "button-up": ("button up shirt", "dress shirt", "long sleeved button down shirt", "collared shirt"),
    "hoodie": ("hoodie", "hooded sweatshirt", "hooded sweater", "sweatshirt with a hood"),
    "jacket": ("jacket", "jacket", "short jacket", "open jacket"),
    "coat": ("coat", "long coat", "overcoat", "knee length coat"),
    "vest": ("vest", "sleeveless vest", "sleeveless jacket", "gilet"),
    "tank top": ("tank top", "sleeveless shirt", "sleeveless top", "singlet"),
    "dress": ("dress", "knee length dress", "short sleeved dress", "one piece dress"),
}
INNER = ("shirt", "t-shirt", "top", "undershirt")
PATTERN = {
    "stripes": ("striped", "horizontally striped"),
    "checks": ("checked", "plaid", "checkered"),
    "dots": ("polka dot", "dotted", "spotted"),
}
PATTERN_AFTER = {
    "stripes": ("with horizontal stripes", "with stripes"),
    "checks": ("with a plaid pattern", "with a check pattern", "with checks"),
    "dots": ("with polka dots", "with dots all over"),
    "logo": ("with a logo on the chest", "with a print on the front", "with a graphic on it", "with a design on it"),
}
BOTTOM = {
    "trousers": ("pants", "trousers", "slacks", "long pants"),
    "jeans": ("jeans", "denim jeans", "denim pants"),
    "shorts": ("shorts", "knee length shorts", "short pants"),
    "leggings": ("leggings", "tight leggings", "tights", "tight pants"),
    "skirt": ("skirt", "knee length skirt", "short skirt"),
    "long skirt": ("long skirt", "ankle length skirt", "maxi skirt"),
}
PLURAL_BOTTOMS = ("trousers", "jeans", "shorts", "leggings")
SHOES = {
    "sneakers": ("sneakers", "sneakers", "tennis shoes", "trainers", "running shoes"),
    "boots": ("boots", "boots", "ankle boots"),
    "sandals": ("sandals", "open sandals", "open toed shoes"),
    "heels": ("heels", "high heels", "high heeled shoes"),
    "leather shoes": ("leather shoes", "dress shoes", "shoes"),
}
BAG = {
    "backpack": ("backpack", "backpack", "rucksack", "book bag"),
    "shoulder bag": ("shoulder bag", "messenger bag", "crossbody bag", "bag with a strap across the body"),
    "handbag": ("handbag", "purse", "hand bag", "small bag"),
    "suitcase": ("suitcase", "rolling suitcase", "wheeled suitcase", "trolley case"),
}
BAG_VERB = {
    "backpack": ("wearing", "carrying", "with"),
    "shoulder bag": ("carrying", "wearing", "with"),
    "handbag": ("carrying", "holding", "with"),
    "suitcase": ("pulling", "rolling", "with"),
}
HAT = {
    "cap": ("cap", "baseball cap", "ball cap"),
    "beanie": ("beanie", "knit hat", "knitted cap", "winter hat"),
    "brimmed hat": ("hat with a brim", "wide brimmed hat", "sun hat", "brimmed hat"),
}
GLASSES = ("glasses", "eyeglasses", "a pair of glasses", "dark framed glasses")


def with_article(phrase: str) -> str:
    """Put ``a`` or ``an`` before a phrase.

    >>> with_article("orange coat")
    'an orange coat'
    """
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def hair(identity: Identity, shot: Shot, chance: random.Random) -> str:
    """Name the hair as this shot shows it, without an article: ``"long black hair"``.

    Args:
        identity: The person.
        shot: How the picture is taken.
        chance: The caption's own random stream.
    """
    if identity.hair_style == "bald":
        return chance.choice(("a bald head", "a shaved head", "no hair"))
    colour = chance.choice(HAIR_COLOUR[identity.hair_colour])
    style = identity.hair_style
    if style == "ponytail" and shot.view == "front":
        return f"{colour} hair pulled back"
    shapes = {
        "short": (f"short {colour} hair", f"short cropped {colour} hair", f"{colour} hair cut short"),
        "curly": (f"curly {colour} hair", f"{colour} curly hair", f"frizzy {colour} hair"),
        "long": (f"long {colour} hair", f"long straight {colour} hair", f"shoulder length {colour} hair"),
        "ponytail": (f"{colour} hair in a ponytail", f"a {colour} ponytail", f"{colour} hair tied back in a ponytail"),
        "bun": (f"{colour} hair in a bun", f"{colour} hair tied up in a bun", f"a {colour} bun"),
        "bob": (f"chin length {colour} hair", f"a {colour} bob", f"{colour} hair in a bob cut"),
    }
    return chance.choice(shapes[style])


def top(identity: Identity, shot: Shot, chance: random.Random, *, pattern: bool) -> str:
    """Name the top with its article: ``"a black and white striped t-shirt"``, ``"a red jacket over a white shirt"``.

    Args:
        identity: The person.
        shot: How the picture is taken.
        chance: The caption's own random stream.
        pattern: Whether the pattern is mentioned.
    """
    colour, kind = chance.choice(COLOUR[identity.top_colour]), chance.choice(TOP[identity.top])
    name = identity.top_pattern
    if pattern and name in PATTERN and chance.randrange(3):
        if chance.randrange(3) == 0:
            colour += " and white" if is_light(contrasting(CLOTH[identity.top_colour])) else " and black"
        phrase = f"{colour} {chance.choice(PATTERN[name])} {kind}"
    elif pattern and name != "plain" and (name != "logo" or shot.shows_front):
        phrase = f"{colour} {kind} {chance.choice(PATTERN_AFTER[name])}"
    else:
        phrase = f"{colour} {kind}"
    phrase = with_article(phrase)
    if identity.inner_colour != NONE and shot.shows_front and chance.randrange(100) < 72:
        inner = with_article(f"{chance.choice(COLOUR[identity.inner_colour])} {chance.choice(INNER)}")
        phrase += " " + chance.choice(("over", "on top of", "and")) + f" {inner}"
    return phrase


def bottom(identity: Identity, chance: random.Random) -> str:
    """Name the trousers, shorts or skirt: ``"a pair of grey pants"``."""
    phrase = f"{chance.choice(COLOUR[identity.bottom_colour])} {chance.choice(BOTTOM[identity.bottom])}"
    if identity.bottom not in PLURAL_BOTTOMS:
        return with_article(phrase)
    return f"a pair of {phrase}" if chance.randrange(5) == 0 else phrase


def shoes(identity: Identity, chance: random.Random) -> str:
    """Name the shoes: ``"white sneakers"``."""
    kind = chance.choice(SHOES[identity.shoes])
    if chance.randrange(5) == 0 and identity.shoes != "sandals":
        kind = "shoes"
    phrase = f"{chance.choice(COLOUR[identity.shoe_colour])} {kind}"
    return f"a pair of {phrase}" if chance.randrange(6) == 0 else phrase


def bag(identity: Identity, chance: random.Random) -> str:
    """Name the bag with its article: ``"a brown shoulder bag"``."""
    return with_article(f"{chance.choice(COLOUR[identity.bag_colour])} {chance.choice(BAG[identity.bag])}")


def hat(identity: Identity, chance: random.Random) -> str:
    """Name the hat with its article: ``"a red baseball cap"``."""
    return with_article(f"{chance.choice(COLOUR[identity.hat_colour])} {chance.choice(HAT[identity.hat])}")


def action(shot: Shot, chance: random.Random) -> str:
    """Say what the person does and where the person is turned, as a participle phrase; it may be empty."""
    act = {
        "walking": ("walking", "walking", "walking along", "strolling"),
        "standing": ("standing", "standing still", "waiting"),
        "calling": ("talking on a phone", "talking on a cell phone", "making a phone call"),
        "looking at a phone": ("looking at a phone", "looking down at a cell phone", "using a phone"),
        "hands in pockets": ("standing with both hands in the pockets", "with hands in the pockets"),
    }[shot.pose]
    side = {
        "front": ("facing the camera", "toward the camera", "seen from the front"),
        "back": ("seen from behind", "facing away from the camera", "with the back to the camera"),
        "side": (f"facing {shot.heading}", f"heading to the {shot.heading}", "seen from the side"),
        "three-quarter front": (f"facing slightly to the {shot.heading}", f"turned a little to the {shot.heading}"),
        "three-quarter back": ("seen from behind at an angle", f"facing away and to the {shot.heading}"),
    }[shot.view]
    kind = chance.randrange(3)
    if kind == 0:
        return chance.choice(act)
    return chance.choice(side) if kind == 1 else f"{chance.choice(act)} {chance.choice(side)}"


def place(shot: Shot, chance: random.Random) -> str:
    """Say where the person is: ``"on a crosswalk"``."""
    return chance.choice(
        {
            "street": ("on a street", "down the street", "on the sidewalk"),
            "wall": ("beside a wall", "in front of a wall", "past a building"),
            "shop": ("in front of a shop", "past a store window", "beside a store"),
            "grass": ("in a park", "on a path in a park", "near some grass"),
            "crossing": ("on a crosswalk", "on a road", "near a crosswalk"),
        }[shot.scene]
    )


def person(identity: Identity, build: bool, chance: random.Random) -> str:
    """Name the person with an article: ``"a heavyset man"``, ``"the lady"``.

    Args:
        identity: The person.
        build: Whether the build is mentioned.
        chance: The caption's own random stream.
    """
    noun = chance.choice(PERSON[identity.gender])
    if build:
        noun = f"{chance.choice(BUILD[identity.build])} {noun}"
    return f"the {noun}" if chance.randrange(3) == 0 else with_article(noun)
