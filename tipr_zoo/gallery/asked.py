"""The checks of what is searched for, and of how many pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from tipr_zoo.errors import ConfigError

LONGEST_SENTENCE = 100_000
"""Letters. Models read the first hundred words or so; what is far longer is a file that was taken for a sentence."""


def check_sentence(sentence: object, which: str = "the sentence to search for") -> None:
    """Check that a sentence is text that says something.

    Args:
        sentence: The sentence.
        which: What messages call it.

    Raises:
        ConfigError: It is no text, empty, far too long, or has no letter and no digit.
    """
    fix = "describe the person, e.g. 'a man in a red jacket'"
    if not isinstance(sentence, str):
        raise ConfigError(f"{which} must be text, got a {type(sentence).__name__}; {fix}")
    if len(sentence) > LONGEST_SENTENCE:
        raise ConfigError(
            f"{which} has {len(sentence):,} letters, and {LONGEST_SENTENCE:,} are the limit; write one sentence a line"
        )
    if not any(letter.isalnum() for letter in sentence):
        raise ConfigError(f"{which} {'has no word' if sentence.strip() else 'is empty'}; {fix}")


def check_sentences(sentences: Sequence[object]) -> None:
    """Check sentences; of several, the one that is wrong is told by its number.

    Raises:
        ConfigError: As of `check_sentence`.
    """
    for number, sentence in enumerate(sentences, start=1):
        which = "the sentence to search for"
        check_sentence(sentence, which if len(sentences) == 1 else f"sentence {number} of {len(sentences):,}")


def check_top(top: object) -> int:
    """Check the number of hits, and return it.

    Raises:
        ConfigError: It is no whole number above 0.
    """
    if isinstance(top, bool) or not isinstance(top, Integral):
        raise ConfigError(f"the number of hits must be a whole number from 1, got {top!r}")
    if top < 1:
        raise ConfigError(f"the number of hits must be at least 1, got {top}")
    return int(top)


def finite_number(value: object) -> float | None:
    """Return a value as a number; None where it is no finite one. True and False are none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
