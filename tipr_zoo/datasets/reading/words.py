"""Words of annotation files: those that name a split, and those that stand for an empty cell."""

from __future__ import annotations

import re

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "restval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "devel": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
    "query": "test",
    "gallery": "test",
}
"""The split that each word stands for, in any case.

``restval`` is Karpathy's part of COCO's validation pictures that is trained on. ``query`` and ``gallery`` are two views
of a test split.
"""

_UNSEEN = re.compile(r"\A[\s\u200b-\u200d\u2060\ufeff]+|[\s\u200b-\u200d\u2060\ufeff]+\Z")

VIEWS_OF_TEST = frozenset({"query", "gallery"})
"""Words for a part of the test split, which may say the same as the other one."""

EMPTY_WORDS = frozenset(
    {
        "#N/A",
        "#N/A N/A",
        "#NA",
        "#NULL!",
        "#DIV/0!",
        "#NAME?",
        "#NUM!",
        "#REF!",
        "#VALUE!",
        "(null)",
        "<null>",
        "N.A.",
        "NIL",
        "\\N",
        "n.a.",
        "nil",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NAN",
        "NONE",
        "NULL",
        "NaN",
        "NaT",
        "None",
        "n/a",
        "nan",
        "none",
        "null",
        "undefined",
    }
)
"""Words that pandas, Python and spreadsheets write for an empty cell. As written: a person may be called Nan or Na."""


def stripped(text: str) -> str:
    """Return a text without what nobody sees at its ends: blanks of all kinds, and characters without a width.

    >>> stripped("\u200ba man\u00a0\ufeff")
    'a man'
    """
    text = text.strip()
    return text if text.isascii() else _UNSEEN.sub("", text)


def split_of(word: str) -> str | None:
    """Return the split that a word names: ``train``, ``val`` or ``test``; None if it names none.

    >>> split_of("Dev"), split_of("tset")
    ('val', None)
    """
    return SPLIT_WORDS.get(stripped(word).casefold())


def is_empty_word(text: str) -> bool:
    """Return whether a text is a word for an empty cell.

    >>> is_empty_word(" NaN"), is_empty_word("a man called Nan")
    (True, False)
    """
    return len(text) < 16 and stripped(text) in EMPTY_WORDS
