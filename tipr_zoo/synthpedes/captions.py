"""Captions: what a picture shows, in one to three sentences of changing shape.

Each attribute is mentioned with its own probability, in a changing order, and only if the picture shows it.
"""

from __future__ import annotations

import random
import re

from tipr_zoo.synthpedes import phrases
from tipr_zoo.synthpedes.identity import NONE, Identity
from tipr_zoo.synthpedes.shot import Shot

SHORTEST, LONGEST = 15, 50  # words

# How often a caption mentions what the picture shows, in percent.
MENTIONED = {
    "top": 98,
    "bottom": 95,
    "shoes": 76,
    "bag": 90,
    "hat": 90,
    "hair": 74,
    "pattern": 90,
    "glasses": 45,
    "build": 34,
    "skin": 14,
    "action": 60,
    "place": 14,
}
# Which part of a caption names an attribute.
PART_OF = {
    "top": "top",
    "top_colour": "top",
    "top_pattern": "pattern",
    "bottom": "bottom",
    "bottom_colour": "bottom",
    "shoe_colour": "shoes",
    "bag": "bag",
    "bag_colour": "bag",
    "hat": "hat",
    "hat_colour": "hat",
    "hair_colour": "hair",
    "hair_style": "hair",
}
TWIN_MENTIONED = 94


def caption(identity: Identity, shot: Shot, twin: str, chance: random.Random) -> str:
    """Describe the picture in 15 to 50 words.

    Args:
        identity: The person.
        shot: How the picture is taken. What it does not show is not mentioned.
        twin: The attribute in which the identity differs from its near twin, or ``"none"``.
        chance: The caption's own random stream.

    Returns:
        One to three sentences.
    """
    while True:
        text = sentences(identity, shot, mentioned(identity, shot, twin, chance), chance)
        if SHORTEST <= len(tokens(text)) <= LONGEST:
            return text


def tokens(text: str) -> list[str]:
    """Split a caption into its words in lower case, as `processed_tokens` lists them.

    >>> tokens("A man in a T-shirt.")
    ['a', 'man', 'in', 'a', 't-shirt']
    """
    return re.findall(r"[a-z]+(?:[-'][a-z]+)*", text.lower())


def shown(identity: Identity, shot: Shot) -> dict[str, bool]:
    """Return which parts of a description the picture shows."""
    return {
        "top": True,
        "bottom": identity.bottom != NONE,
        "shoes": shot.occluder != "box",
        "bag": identity.bag != NONE,
        "hat": identity.hat != NONE,
        "hair": True,
        "pattern": identity.top_pattern != "plain" and (identity.top_pattern != "logo" or shot.shows_front),
        "glasses": identity.glasses and shot.shows_front,
        "build": identity.build != "average",
        "skin": True,
        "action": True,
        "place": True,
    }


def mentioned(identity: Identity, shot: Shot, twin: str, chance: random.Random) -> dict[str, bool]:
    """Choose which parts this caption mentions.

    What distinguishes near twins is seldom left out.

    Args:
        identity: The person.
        shot: How the picture is taken.
        twin: The attribute in which the identity differs from its near twin, or ``"none"``.
        chance: The caption's own random stream.
    """
    result = {}
    for part, is_shown in shown(identity, shot).items():
        percent = max(MENTIONED[part], TWIN_MENTIONED) if part == PART_OF.get(twin) else MENTIONED[part]
        result[part] = is_shown and chance.randrange(100) < percent
    return result


def sentences(identity: Identity, shot: Shot, said: dict[str, bool], chance: random.Random) -> str:
    """Write the parts as sentences.

    Args:
        identity: The person.
        shot: How the picture is taken.
        said: Which parts of a description this caption mentions.
        chance: The caption's own random stream.
    """
    pronoun, possessive = phrases.PRONOUN[identity.gender]
    clothes = worn(identity, shot, said, chance)
    action = phrases.action(shot, chance) if said["action"] else ""
    if action and said["place"]:
        action += " " + phrases.place(shot, chance)
    hair = phrases.hair(identity, shot, chance) if said["hair"] else ""
    bag = phrases.bag(identity, chance) if said["bag"] else ""
    bag_verb = chance.choice(phrases.BAG_VERB[identity.bag]) if bag else ""
    extras = looks(identity, said, chance)
    person = phrases.person(identity, said["build"], chance)
    wears = chance.choice(("wears", "is wearing", "is dressed in", "has on"))
    wearing = chance.choice(("wearing", "dressed in", "in", "who is wearing"))
    shape = chance.randrange(5)
    rest = looks_sentences(pronoun, possessive, hair, extras, chance)
    if shape == 0:
        first = f"{person} {wears} {listed(clothes)}"
        tail = [carries(pronoun, bag_verb, bag, chance)] if bag else []
        tail += rest + ([f"{pronoun} is {action}"] if action else [])
    elif shape == 1:
        who = f"{person} with {hair}" if hair else person
        joint = wearing.replace("who is", "and is" if action else "")
        first = " ".join(f"{who} is {action or 'shown'} {joint} {listed(clothes)}".split())
        rest = looks_sentences(pronoun, possessive, "", extras, chance)
        tail = [carries(pronoun, bag_verb, bag, chance)] if bag else []
        tail += rest
    elif shape == 2:
        with_bag = f" {'along' if bag_verb == 'with' else 'and'} {bag_verb} {bag}" if bag else ""
        first = f"{person} {wearing} {listed(clothes)}{with_bag}"
        if action:
            first += f", {action}"
        tail = rest
    elif shape == 3:
        opening = f"{action}, " if action else ""
        first = f"{opening}{person} {wears} {listed(clothes[:1])}"
        tail = (
            [f"{pronoun} {chance.choice(('also wears', 'also has on', 'is also wearing'))} {listed(clothes[1:])}"]
            if clothes[1:]
            else []
        )
        extra = [carries(pronoun, bag_verb, bag, chance)] if bag else []
        tail += extra + rest if chance.randrange(2) else rest + extra
    else:
        looks_first = [part for part in (hair, *extras) if part]
        opening = f"{person}{' with ' + listed(looks_first) if looks_first else ''}"
        first = f"{opening} {wears} {listed(clothes)}"
        tail = [f"{pronoun} is {action}{f', {bag_verb} {bag}' if bag else ''}"] if action else []
        tail += [carries(pronoun, bag_verb, bag, chance)] if bag and not action else []
    return joined(first, tail)


def worn(identity: Identity, shot: Shot, said: dict[str, bool], chance: random.Random) -> list[str]:
    """Name the clothes, in a changing order.

    Args:
        identity: The person.
        shot: How the picture is taken.
        said: Which parts of a description this caption mentions.
        chance: The caption's own random stream.
    """
    parts = []
    if said["top"]:
        parts.append(phrases.top(identity, shot, chance, pattern=said["pattern"]))
    if said["bottom"]:
        parts.append(phrases.bottom(identity, chance))
    if said["shoes"]:
        parts.append(phrases.shoes(identity, chance))
    if said["hat"]:
        parts.insert(chance.choice((0, len(parts))), phrases.hat(identity, chance))
    order = chance.randrange(10)
    if order < 2:
        parts.reverse()
    elif order < 4:
        chance.shuffle(parts)
    return parts or [chance.choice(("casual clothes", "everyday clothes"))]


def looks(identity: Identity, said: dict[str, bool], chance: random.Random) -> list[str]:
    """Name glasses and skin.

    Args:
        identity: The person.
        said: Which parts of a description this caption mentions.
        chance: The caption's own random stream.
    """
    glasses = [chance.choice(phrases.GLASSES)] if said["glasses"] else []
    return glasses + ([chance.choice(phrases.SKIN[identity.skin])] if said["skin"] else [])


def looks_sentences(pronoun: str, possessive: str, hair: str, extras: list[str], chance: random.Random) -> list[str]:
    """Write a sentence on hair, glasses and skin, if there is anything to say.

    Args:
        pronoun: The person's pronoun.
        possessive: The person's possessive pronoun.
        hair: The hair as a phrase; empty if it is not mentioned.
        extras: Glasses and skin as phrases.
        chance: The caption's own random stream.
    """
    parts = [part for part in (hair, *extras) if part]
    if not parts:
        return []
    if hair and len(parts) == 1 and not hair.startswith(("a ", "no ")) and chance.randrange(2):
        return [f"{possessive} {hair.split(' hair')[0]} hair can be seen{hair.split(' hair')[1]}".rstrip()]
    return [f"{pronoun} has {listed(parts)}"]


def carries(pronoun: str, verb: str, bag: str, chance: random.Random) -> str:
    """Write a sentence on the bag.

    Args:
        pronoun: The person's pronoun.
        verb: How the bag is carried; ``"with"`` for a plain "has".
        bag: The bag as a phrase.
        chance: The caption's own random stream.
    """
    if verb == "with":
        return f"{pronoun} {chance.choice(('has', 'carries'))} {bag}"
    return f"{pronoun} is {verb} {bag}"


def listed(parts: list[str]) -> str:
    """List phrases as English does.

    >>> listed(["a red coat", "jeans", "boots"])
    'a red coat, jeans and boots'
    """
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def joined(first: str, tail: list[str]) -> str:
    """Join sentences to at most three, each with a capital and a full stop."""
    while len(tail) > 2:
        tail = [*tail[:-2], f"{tail[-2]} and {tail[-1]}"]
    return " ".join(part[0].upper() + part[1:] + "." for part in (first, *tail))
