"""What to know before an answer is trusted: words that weights never saw, negations, sentences that say little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tipr_zoo.cards.answers import ShortCaptions
from tipr_zoo.vocabulary.describing_words import describing_words, is_describing
from tipr_zoo.vocabulary.near_words import near_words
from tipr_zoo.vocabulary.negations import negated_phrases
from tipr_zoo.vocabulary.vocabulary import LONGEST_WORD, Vocabulary
from tipr_zoo.vocabulary.words import words_of

NEVER_SEEN, NEGATION, VAGUE, SHAPE, PRESENCE = "words never seen", "negation", "vague", "shape", "presence"

KINDS = (NEVER_SEEN, NEGATION, VAGUE, SHAPE, PRESENCE)
"""The kinds of remarks."""

_MOST_NAMES = 8
"""Words in one remark."""


@dataclass(frozen=True)
class Remark:
    """Something to know before an answer is trusted.

    Attributes:
        kind: One of `KINDS`.
        text: It in words, one line.
        details: The same for programs, by name; values are those of JSON.
    """

    kind: str
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Return the fields by name, as JSON has them."""
        return {"kind": self.kind, "text": self.text, "details": dict(self.details)}


def remarks(
    sentence: str, vocabulary: Vocabulary | None = None, short_captions: Sequence[ShortCaptions] = ()
) -> list[Remark]:
    """Say what is to be known of a sentence before what it finds is trusted.

    Args:
        sentence: The sentence that pictures are searched with.
        vocabulary: The words that the weights were trained on. None where nothing says them; then no word is judged.
        short_captions: What the model finds with short captions, the shortest first and whole ones last. Empty where
            that was not measured; then no sentence is called vague.

    Returns:
        The remarks; none where there is nothing to say. At most one of each kind.

    >>> print(remarks("a man without a hat")[0].text)
    'without a hat': these models take no notice of negations, and rank as if it were wanted; leave it out
    """
    words = words_of(sentence)
    found = [
        None if vocabulary is None else _never_seen(words, vocabulary),
        _negation(sentence),
        _vague(sentence, short_captions),
    ]
    return [remark for remark in found if remark is not None]


def _never_seen(words: Sequence[str], vocabulary: Vocabulary) -> Remark | None:
    """Name the words that the weights never saw, each with the nearest known ones. Those of grammar are no matter."""
    describing = [word for word in dict.fromkeys(words) if is_describing(word)]
    unknown = [word for word in describing if not vocabulary.count(word)]
    if not describing:
        return Remark(NEVER_SEEN, "the sentence has no word that describes a person", {"words": [], "near": {}})
    if not unknown:
        return None
    named = {word: near_words(word, vocabulary) if len(word) <= LONGEST_WORD else [] for word in unknown[:_MOST_NAMES]}
    told = ", ".join(_told(word, near) for word, near in named.items())
    if (more := len(unknown) - len(named)) > 0:
        told += f" and {more} more"
    if len(unknown) == len(describing):
        text = f"the weights never saw any describing word of the sentence, so that its ranking means nothing: {told}"
    else:
        text = f"the weights never saw {told}"
    return Remark(NEVER_SEEN, text, {"words": unknown, "near": named})


def _told(word: str, near: Sequence[str]) -> str:
    shown = word if len(word) <= LONGEST_WORD else f"{word[:LONGEST_WORD]}..."
    return f"{shown!r} (near: {', '.join(near)})" if near else f"{shown!r} (nothing near it)"


def _negation(sentence: str) -> Remark | None:
    """Say that negations are ignored. How that was measured is told in ``docs/answers.md``."""
    phrases = list(dict.fromkeys(negated_phrases(sentence)))
    if not phrases:
        return None
    named = ", ".join(repr(phrase) for phrase in phrases[:_MOST_NAMES])
    if (more := len(phrases) - _MOST_NAMES) > 0:
        named += f" and {more} more"
    text = f"{named}: these models take no notice of negations, and rank as if it were wanted; leave it out"
    return Remark(NEGATION, text, {"phrases": phrases})


def _vague(sentence: str, short_captions: Sequence[ShortCaptions]) -> Remark | None:
    """Say that a sentence is vague, where as short captions find less than half of what whole ones do."""
    if not short_captions:
        return None
    count, whole = len(describing_words(sentence)), short_captions[-1]
    alike = next((each for each in short_captions if each.words >= count), whole)
    if alike.R1 >= whole.R1 / 2:
        return None
    number = "1 word that describes" if count == 1 else f"{count} words that describe"
    text = (
        f"the sentence is vague, with {number}: captions of {alike.words} find the person first in"
        f" {alike.R1:.0f} of 100 searches, whole ones of about {whole.words} in {whole.R1:.0f}; tell more garments"
        " and colours"
    )
    details = {"describing_words": count, "R1": alike.R1, "whole_words": whole.words, "whole_R1": whole.R1}
    return Remark(VAGUE, text, details)
