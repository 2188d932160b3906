"""English words that negate what follows them, and phrases that only look like that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from tipr_zoo.vocabulary.function_words import FUNCTION_WORDS
from tipr_zoo.vocabulary.words import plain_text, words_of

_TEXT = """
no not without never none nothing neither nor nobody noone no-one nowhere cannot lack lacks lacking minus sans
isnt arent wasnt werent doesnt dont didnt hasnt havent hadnt cant wont wouldnt couldnt shouldnt aint
"""

NEGATIONS = frozenset(_TEXT.split())
"""In lower case. Words that end in ``n't`` negate, too, and those that begin with ``non-``, but for `_KINDS`."""

_KINDS = ("non-slip", "non-stop", "non-iron")

NEGATING = (
    ("instead", "of"),
    ("rather", "than"),
    ("free", "of"),
    ("devoid", "of"),
    ("anything", "but"),
    ("far", "from"),
    ("hardly", "any"),
    ("barely", "any"),
    ("scarcely", "any"),
)
"""Words that negate together."""

HARMLESS = (
    *(("without", *rest) for rest in (("doubt",), ("a", "doubt"), ("any", "doubt"), ("question",), ("fail",))),
    *(("no", rest) for rest in ("doubt", "matter", "problem", "wonder", "question", "idea")),
    *(("not", rest) for rest in ("only", "just", "merely", "simply", "solely", "unlike", "least", "sure", "certain")),
    *((word, rest) for word in ("not", "don't", "dont", "can't", "cannot") for rest in ("know", "remember", "recall")),
    *((word, *rest) for word in ("not", "can't", "cant", "cannot") for rest in (("miss",), ("be", "missed"))),
    ("not", "to", "mention"),
    ("nothing", "but"),
    ("none", "other"),
    ("none", "the", "less"),
    ("never", "mind"),
)
"""Words that negate nothing of a person, although the first of them is a negation."""

_HARMLESS_AFTER = frozenset({"if", "whether", "why", "or"})
"""Words after which a ``not`` negates nothing: "large, if not huge", "whether or not"."""

_NUMBERED = re.compile(r"\bnos?\.?\s*(?=\d)")
_PRINTED = re.compile(r"[\"\u201c\u201d\u00ab][^\"\u201c\u201d\u00bb]{1,40}[\"\u201c\u201d\u00bb]")
_SHORT = re.compile(r"\bw/o\b")
_CLAUSE_ENDS = re.compile(r"[,.;:!?()\n]+(?=\s|\Z)")


def is_negation(word: str) -> bool:
    """Tell whether a word negates what follows it.

    >>> is_negation("without"), is_negation("doesn't"), is_negation("knot")
    (True, True, False)
    """
    return word in NEGATIONS or word.endswith("n't") or (word.startswith("non-") and word not in _KINDS)


def negated_phrases(sentence: str, longest: int = 4) -> list[str]:
    """Return each negation with the words after it, without those of grammar at the end.

    A phrase ends with its clause. What is printed on something, between quotation marks, is none.

    Args:
        sentence: The sentence.
        longest: Words of one phrase.

    >>> negated_phrases("A man without a hat, no doubt, and with no bag; his shirt has No. 7.")
    ['without a hat', 'no bag']
    """
    text = _PRINTED.sub(" ", _NUMBERED.sub("number ", _SHORT.sub("without", plain_text(sentence))))
    clauses = [words for clause in _CLAUSE_ENDS.split(text) if (words := words_of(clause))]
    if len(clauses) > 1 and clauses[0] == ["no"]:  # which answers something
        del clauses[0]
    return [phrase for words in clauses for phrase in _of_clause(words, longest)]


def _of_clause(words: Sequence[str], longest: int) -> Iterator[str]:
    for start in range(len(words)):
        count = _negating(words, start)
        if count:
            rest = list(takewhile(lambda other: not is_negation(other), words[start + count : start + longest]))
            while rest and rest[-1] in FUNCTION_WORDS:
                rest.pop()
            yield " ".join([*words[start : start + count], *rest])


def _negating(words: Sequence[str], start: int) -> int:
    """Return how many words from here negate together; 0 where they do not."""
    if any(_begins(words, start, phrase) for phrase in NEGATING):
        return 2
    word, before = words[start], words[start - 1] if start else ""
    if not is_negation(word) or any(_begins(words, start, phrase) for phrase in HARMLESS):
        return 0
    if word == "not" and before in _HARMLESS_AFTER:
        return 0
    return 0 if word in ("no", "not") and _is_compared(words[start + 1 : start + 3]) else 1


def _begins(words: Sequence[str], start: int, phrase: Sequence[str]) -> bool:
    return tuple(words[start : start + len(phrase)]) == tuple(phrase)


def _is_compared(words: Sequence[str]) -> bool:
    """Tell whether words are of a comparison, as in "no older than 30"."""
    return len(words) == 2 and words[1] == "than" and (words[0] in ("more", "less") or words[0].endswith("er"))
