"""Deprecation: a warning one minor version before something is dropped."""

from __future__ import annotations

import warnings


def warn_deprecated(name: str, *, since: str, until: str, instead: str, stacklevel: int = 1) -> None:
    """Warn the caller of a function that a part of the plugin contract will be dropped.

    Call this at the start of the deprecated function. The warning points at the line that uses the function. That line
    is a plugin's own code, so pytest shows the warning to the plugin's author. A test of the zoo
    (tests/plugins/test_deprecation.py) fails when the version `until` is reached and the call is still there. The test
    reads the arguments, so they must be literals.

    Args:
        name: The deprecated name, as its users write it, e.g. ``"tipr_zoo.metrics.rank"``.
        since: The first version that warns, e.g. ``"0.2"``.
        until: The version that drops it, the next minor one, e.g. ``"0.3"``.
        instead: The replacement, in words that follow "use", e.g. ``"tipr_zoo.retrieval_metrics"``.
        stacklevel: Number of calls from the deprecated function up to the line that the warning points at.
    """
    message = f"{name} is deprecated since tipr-zoo {since} and gone in {until}; use {instead}"
    warnings.warn(message, DeprecationWarning, stacklevel=2 + stacklevel)
