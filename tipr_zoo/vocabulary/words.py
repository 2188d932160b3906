"""Where the words of a text are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_WORD = re.compile(r"w+(?:[-'\u2019]w+)*")


def word_spans(text: str) -> Iterator[tuple[int, int]]:
    """Find the words of a text.

    A word is a run of letters, marks and digits. Hyphens and apostrophes inside it belong to it (``t-shirt``,
    ``man's``). Other characters belong to no word.

    Args:
        text: Any text.

    Yields:
        The index of a word's first character, and of the character after its last.
    """
    letters = "".join("w" if unicodedata.category(letter)[0] in "LMN" else letter for letter in text)
    for match in _WORD.finditer(letters):
        yield match.span()


def words_of(text: str) -> list[str]:
    """Return the words of a text in their order, composed, in lower case and with plain apostrophes.

    >>> words_of("A man's T-shirt, n\u00e9on.")
    ['a', "man's", 't-shirt', 'n\u00e9on']
    """
    plain = plain_text(text)
    return [plain[start:end] for start, end in word_spans(plain)]


def plain_text(text: str) -> str:
    """Return a text composed, in lower case and with plain apostrophes."""
    return unicodedata.normalize("NFC", text).lower().replace("\u2019", "'")
