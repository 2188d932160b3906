"""The words of a caption, and which of its tokens each is made of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"w+(?:[-'\u2019]w+)*")


@dataclass(frozen=True)
class CaptionWord:
    """One word of a cleaned caption.

    Attributes:
        text: The word as the model reads it, in lower case.
        start: Its first character in the cleaned caption.
        end: The character after its last.
        tokens: Positions of its pieces in the caption's row of ids, where position 0 is the start token; none where the
            word is cut off.
    """

    text: str
    start: int
    end: int
    tokens: range


def caption_words(caption: str, offsets: Sequence[tuple[int, int]]) -> list[CaptionWord]:
    """Group the pieces of a caption into its words.

    A word is a run of letters, marks and digits, with hyphens and apostrophes inside it (``t-shirt``, ``man's``). Other
    characters and their pieces belong to no word, but the space before a word belongs to it.

    Args:
        caption: A cleaned caption.
        offsets: First character, and the one after the last, of each piece that the model reads, in order.

    Returns:
        Every word in order; one that is said twice is there twice, and one that is cut off has no tokens.
    """
    letters = "".join("w" if unicodedata.category(letter)[0] in "LMN" else letter for letter in caption)
    words = []
    for match in _WORD.finditer(letters):
        start, end = match.span()
        first = start - (start > 0 and caption[start - 1] == " ")
        tokens = [index for index, (begin, stop) in enumerate(offsets, start=1) if begin < end and stop > first]
        place = range(tokens[0], tokens[-1] + 1) if tokens else range(0)
        words.append(CaptionWord(caption[start:end], start, end, place))
    return words
