"""The known words that are nearest to a word that was never seen: those that mean much the same, or are spelt alike."""

from __future__ import annotations

import difflib

from tipr_zoo.vocabulary.describing_words import is_describing
from tipr_zoo.vocabulary.similar_words import SIMILAR_WORDS
from tipr_zoo.vocabulary.vocabulary import Vocabulary

ALIKE = 0.75
"""The share of letters, in their order, that words have in common that are spelt alike."""


def near_words(word: str, vocabulary: Vocabulary, most: int = 3) -> list[str]:
    """Return the known words that are nearest to one that was never seen, the nearest first.

    Args:
        word: In lower case.
        vocabulary: The known words.
        most: The number of words.

    Returns:
        Known words that mean much the same; else known words that are spelt alike; else those that mean the same as a
        word that is spelt alike. Empty where there are none.
    """
    if similar := _similar(word, vocabulary):
        return similar[:most]
    spelt = _spelt_alike(word, [*filter(is_describing, vocabulary.counts), *SIMILAR_WORDS])
    found: list[str] = []
    for near in spelt:
        found += [near] if near in vocabulary.counts else _similar(near, vocabulary)
    return list(dict.fromkeys(found))[:most]


def _similar(word: str, vocabulary: Vocabulary) -> list[str]:
    """Return the known words that mean much the same."""
    forms = [word, word.removesuffix("s"), word.removesuffix("es")]
    similar = next((SIMILAR_WORDS[form] for form in forms if form in SIMILAR_WORDS), ())
    return [other for other in similar if other in vocabulary.counts]


def _spelt_alike(word: str, known: list[str]) -> list[str]:
    """Return the words that are spelt most alike; those with the same letters but for blanks and hyphens first."""
    plain = word.replace("-", "")
    if same := [other for other in known if other.replace("-", "") == plain and other != word]:
        return same
    return difflib.get_close_matches(word, list(dict.fromkeys(known)), n=3, cutoff=ALIKE)
