"""The words that captions have, and how often: what weights can know."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tipr_zoo.outside.parsing import parse_json
from tipr_zoo.vocabulary.words import words_of

LONGEST_WORD = 100
"""Letters of a word. What is longer is no word, and counted under none."""


@dataclass(frozen=True)
class Vocabulary:
    """The words of captions.

    Attributes:
        counts: How often each word occurs, in lower case.
    """

    counts: Mapping[str, int]

    def count(self, word: str) -> int:
        """Return how often a word was seen; 0 for one that never was.

        A word with hyphens, or with an apostrophe and an s, counts as often as the rarest of its parts, where it was
        never seen as it is.

        Args:
            word: In lower case, as `tipr_zoo.vocabulary.words.words_of` gives it.

        >>> Vocabulary({"dark": 5, "blue": 2}).count("dark-blue"), Vocabulary({"man": 5}).count("man's")
        (2, 5)
        """
        if word in self.counts:
            return self.counts[word]
        plain = word.removesuffix("'s")
        return min(self.counts.get(part, 0) for part in plain.split("-"))

    def text(self) -> str:
        """Return it as JSON, the words in order; `parse_vocabulary` reads it."""
        return json.dumps(dict(sorted(self.counts.items())), ensure_ascii=False, separators=(",", ":"))


def vocabulary_of(captions: Iterable[str]) -> Vocabulary:
    """Count the words of captions.

    Args:
        captions: The texts.
    """
    counts = Counter(word for caption in captions for word in words_of(caption) if len(word) <= LONGEST_WORD)
    return Vocabulary(dict(counts))


def parse_vocabulary(text: str) -> Vocabulary:
    """Read what `Vocabulary.text` gives.

    Args:
        text: JSON: an object of whole numbers above 0, by word.

    Raises:
        ValueError: It is something else.
    """
    counts = parse_json(text)
    if not isinstance(counts, dict) or not counts:
        raise ValueError("a vocabulary is a JSON object of words and how often each was seen")
    for word, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"the word {word[:LONGEST_WORD]!r} must have a whole number above 0, got {count!r}")
    return Vocabulary(counts)
