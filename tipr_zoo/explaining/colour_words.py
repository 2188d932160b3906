"""The colour words of English captions."""

from __future__ import annotations

import re

ANOTHER_COLOUR = {
    "black": "white",
    "white": "black",
    "grey": "red",
    "gray": "red",
    "silver": "red",
    "red": "blue",
    "crimson": "blue",
    "orange": "blue",
    "yellow": "purple",
    "cream": "green",
    "beige": "green",
    "khaki": "red",
    "green": "red",
    "blue": "red",
    "navy": "red",
    "purple": "yellow",
    "violet": "yellow",
    "pink": "green",
    "rose": "green",
    "brown": "blue",
}
"""For each colour, one that is far from it."""

_NAME = rf"(?:navy blue|{'|'.join(ANOTHER_COLOUR)})"
_SHADE = r"(?:(?:very |light|dark|bright|pale|deep|jet|off|sky|navy|royal|forest|rose)[ -]?)*"
_BESIDE = rf"(?:(?:,? and |/| or |,)\s*{_SHADE}{_NAME}\b)*"
_COLOUR = re.compile(
    rf"(?P<article>\ban )?(?P<all>\b{_SHADE}(?P<first>{_NAME})\b(?P<rest>{_BESIDE}))",
    re.IGNORECASE,
)


def change_colour(caption: str) -> str | None:
    """Return the caption with its first colour changed to one that is far from it. None where it has no colour.

    A shade changes with its colour (``light blue``, ``navy blue``). Of colours that are named together (``black and
    white``), only the first changes. It does not become a colour that is named beside it.

    >>> change_colour("a person on a bike") is None
    True
    """
    found = _COLOUR.search(caption)
    if found is None:
        return None
    first, rest = found["first"], found["rest"]
    words = [ANOTHER_COLOUR[first.lower().split()[0]], "red", "blue", "green"]
    beside = {word.lower() for word in re.findall(r"\w+", f"{first} {rest}")}
    changed = next(word for word in words if word not in beside)
    if found["all"][0].isupper():
        changed = changed.upper() if first.isupper() else changed.capitalize()
    article = found["article"][0] + " " if found["article"] else ""  # every colour above begins with a consonant
    return caption[: found.start()] + article + changed + rest + caption[found.end() :]
