"""English words that negate what follows them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from tipr_zoo.vocabulary.function_words import FUNCTION_WORDS

_TEXT = """
no not without never none nothing neither nor cannot lacks lacking minus except excluding sans
isnt arent wasnt werent doesnt dont didnt hasnt havent hadnt cant wont wouldnt couldnt shouldnt
"""

NEGATIONS = frozenset(_TEXT.split())
"""In lower case. Words that end in ``n't`` negate, too."""


def is_negation(word: str) -> bool:
    """Tell whether a word negates what follows it.

    >>> is_negation("without"), is_negation("doesn't"), is_negation("knot")
    (True, True, False)
    """
    return word in NEGATIONS or word.endswith("n't") or word.startswith("non-")


def negated_phrases(words: Sequence[str], longest: int = 4) -> list[str]:
    """Return each negation with the words after it, without those of grammar at the end.

    Args:
        words: The words of a sentence.
        longest: Words of one phrase.

    >>> negated_phrases("a man without a hat and with no bag".split())
    ['without a hat', 'no bag']
    """
    phrases = []
    for start, word in enumerate(words):
        if is_negation(word):
            rest = list(takewhile(lambda other: not is_negation(other), words[start + 1 : start + longest]))
            while rest and rest[-1] in FUNCTION_WORDS:
                rest.pop()
            phrases.append(" ".join([word, *rest]))
    return phrases
