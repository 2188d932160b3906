"""The one place where an unknown name is turned into a suggestion."""

from __future__ import annotations

from collections.abc import Iterable

from tipr_zoo.errors import UnknownNameError


def unknown_name(kind: str, name: str, known: Iterable[str], place: str = "") -> UnknownNameError:
    """Make the error for a name that does not exist, with the closest names that do.

    Args:
        kind: What the name stands for, e.g. ``"model"`` or ``"loss"``.
        name: The name as it was given.
        known: Every name that exists.
        place: Where the names can be looked up, e.g. ``"see `tipr-zoo list`"``.

    Returns:
        The error, to be raised by the caller.

    Example:
        >>> str(unknown_name("model", "irra_tiny_sinth", ["irra_tiny_synth", "sen_vitb16_cuhk"]))
        "unknown model 'irra_tiny_sinth'; did you mean 'irra_tiny_synth'?"
    """
    import difflib  # not at the top: a name that exists needs it not

    names = sorted(set(known))
    by_folded = {candidate.casefold(): candidate for candidate in names}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)
    message = f"unknown {kind} {name!r}"
    if close:
        message += "; did you mean " + " or ".join(repr(by_folded[match]) for match in close) + "?"
    elif not names:
        message += "; none is registered"
    elif len(names) <= 12:
        message += "; known: " + ", ".join(names)
    if place:
        message += f" ({place})"
    return UnknownNameError(message)
