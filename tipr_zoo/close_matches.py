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
    by_folded: dict[str, list[str]] = {}
    for candidate in names:
        by_folded.setdefault(candidate.casefold(), []).append(candidate)  # two may differ by case alone
    close = difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)
    message = f"unknown {kind} {name!r}"
    if close:
        found = [each for match in close for each in by_folded[match]]

        def likeness(each: str) -> tuple[float, float]:
            pairs = ((each.casefold(), name.casefold()), (each, name))  # the case decides between equals
            by_letters, by_case = (difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs)
            return by_letters, by_case

        found.sort(key=likeness, reverse=True)
        message += "; did you mean " + " or ".join(map(repr, found[:3])) + "?"
    elif not names:
        message += "; none is registered"
    elif len(names) <= 12:
        message += "; known: " + ", ".join(names)
    if place:
        message += f" ({place})"
    return UnknownNameError(message)
