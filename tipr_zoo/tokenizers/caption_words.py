"""The words of a caption, and the tokens that each of them is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tipr_zoo.vocabulary.words import word_spans


@dataclass(frozen=True)
class CaptionWord:
    """One word of a cleaned caption.

    Attributes:
        text: The word as the model reads it, in lower case.
        start: Index of its first character in the cleaned caption.
        end: Index of the character after its last.
        tokens: Positions of its pieces in the caption's row of ids. Position 0 is the start token. None if the word is
            cut off.
    """

    text: str
    start: int
    end: int
    tokens: range


def caption_words(caption: str, offsets: Sequence[tuple[int, int]]) -> list[CaptionWord]:
    """Group the pieces of a caption into its words.

    A word is a run of letters, marks and digits. Hyphens and apostrophes inside it belong to it (``t-shirt``,
    ``man's``). Other characters and their pieces belong to no word. But the space before a word belongs to it.

    Args:
        caption: A cleaned caption.
        offsets: For each piece that the model reads, in order: its first character, and the character after its last.

    Returns:
        Every word in order. A word that occurs twice is there twice. A word that is cut off has no tokens.

    >>> [(word.text, word.tokens) for word in caption_words("a t-shirt", [(0, 1), (1, 4), (4, 9)])]
    [('a', range(1, 2)), ('t-shirt', range(2, 4))]
    """
    words = []
    for start, end in word_spans(caption):
        first = start - (start > 0 and caption[start - 1] == " ")
        tokens = [index for index, (begin, stop) in enumerate(offsets, start=1) if begin < end and stop > first]
        place = range(tokens[0], tokens[-1] + 1) if tokens else range(0)
        words.append(CaptionWord(caption[start:end], start, end, place))
    return words
