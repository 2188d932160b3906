"""The words of a sentence that describe a person, and a sentence cut after some of them."""

from __future__ import annotations

import unicodedata

from tipr_zoo.vocabulary.function_words import FUNCTION_WORDS
from tipr_zoo.vocabulary.negations import is_negation
from tipr_zoo.vocabulary.words import word_spans, words_of


def is_describing(word: str) -> bool:
    """Tell whether a word in lower case says something of what a person looks like: grammar's words do not."""
    return word not in FUNCTION_WORDS and not is_negation(word)


def describing_words(sentence: str) -> list[str]:
    """Return the words of a sentence that describe, each once, in their order.

    >>> describing_words("A man in a red jacket and red shoes")
    ['man', 'red', 'jacket', 'shoes']
    """
    return [word for word in dict.fromkeys(words_of(sentence)) if is_describing(word)]


def cut_after(sentence: str, count: int) -> str:
    """Cut a sentence after so many describing words.

    Args:
        sentence: The sentence.
        count: Different words that describe, at least 1.

    Returns:
        Its beginning; the whole sentence where it has no more of them.

    >>> cut_after("A man in a red jacket and red shoes", 3)
    'A man in a red jacket'
    """
    text = unicodedata.normalize("NFC", sentence)
    seen: set[str] = set()
    for start, end in word_spans(text):
        word = text[start:end].lower()
        if is_describing(word):
            seen.add(word)
        if len(seen) == count:
            return text[:end]
    return text
