"""Deprecation: what is about to be dropped says so one minor version ahead."""

from __future__ import annotations

import warnings


def warn_deprecated(name: str, *, since: str, until: str, instead: str, stacklevel: int = 1) -> None:
    """Warn the caller of a function that something of the plugin contract is about to be dropped.

    Call it first thing in what is deprecated. The warning points at the line that uses it, so that pytest shows it to
    a plugin's author, whose own code that line is. A test of the zoo (tests/test_deprecation.py) fails as soon as the
    version `until` is reached and the call is still there; it reads the arguments, which must be literals.

    Args:
        name: What is deprecated, by the name that its users write, e.g. ``"tipr_zoo.metrics.rank"``.
        since: The first version that warns, e.g. ``"0.2"``.
        until: The version in which it is gone: the next minor one, e.g. ``"0.3"``.
        instead: What to use, in words that follow "use", e.g. ``"tipr_zoo.retrieval_metrics"``.
        stacklevel: How many calls above the deprecated function the line lies that is to be pointed at.
    """
    message = f"{name} is deprecated since tipr-zoo {since} and gone in {until}; use {instead}"
    warnings.warn(message, DeprecationWarning, stacklevel=2 + stacklevel)
