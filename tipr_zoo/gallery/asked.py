"""The checks of what is searched for, and of how many pictures."""

from __future__ import annotations

from tipr_zoo.errors import ConfigError


def check_sentence(sentence: object) -> None:
    """Check that a sentence is text that says something.

    Raises:
        ConfigError: It is empty, or has no letter and no digit.
    """
    text = sentence if isinstance(sentence, str) else ""
    if not any(letter.isalnum() for letter in text):
        what = "has no word" if text.strip() else "is empty"
        raise ConfigError(f"the sentence to search for {what}; describe the person, e.g. 'a man in a red jacket'")


def check_top(top: int) -> None:
    """Check the number of hits.

    Raises:
        ConfigError: It is no whole number above 0.
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise ConfigError(f"the number of hits must be at least 1, got {top}")
