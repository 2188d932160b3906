"""The colour words of English captions."""

from __future__ import annotations

import re

ANOTHER_COLOUR = {
    "black": "white",
    "white": "black",
    "grey": "red",
    "gray": "red",
    "red": "blue",
    "orange": "blue",
    "yellow": "purple",
    "green": "red",
    "blue": "red",
    "navy": "orange",
    "purple": "yellow",
    "pink": "green",
    "brown": "blue",
    "beige": "green",
}
"""A colour that is far from each."""

_COLOUR = re.compile(rf"\b({'|'.join(ANOTHER_COLOUR)})\b", re.IGNORECASE)


def change_colour(caption: str) -> str | None:
    """The caption with its first colour word changed to one that is far from it; None where it has none."""
    changed, count = _COLOUR.subn(lambda found: ANOTHER_COLOUR[found[0].lower()], caption, count=1)
    return changed if count else None
