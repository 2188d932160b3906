"""Facts of pictures, and the conditions that filters make of them: one fact has one kind in the whole gallery."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import GalleryError
from tipr_zoo.protocols.engines import Condition, Fact

TEXT, NUMBER, BOOL = "text", "number", "bool"
KINDS = (TEXT, NUMBER, BOOL)
"""The kinds of facts."""

COMPARISONS = ("<=", ">=", "!=", "=", "<", ">")
"""How a fact is compared with a value; the longer ones first, as they are looked for."""

LONGEST_NAME, LONGEST_TEXT = 64, 1000
"""Letters of a fact's name, and of its value."""

_NAME = re.compile(r"\w(?:[\w .-]*\w)?")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BOOLS = {"true": True, "false": False}
_MOST = 1 << 53
"""Beyond it, not every whole number has a floating-point number of its own."""


def kind_of(value: Fact) -> str:
    """Return the kind of a value: ``"text"``, ``"number"`` or ``"bool"``."""
    return BOOL if isinstance(value, bool) else NUMBER if isinstance(value, int | float) else TEXT


def check_name(name: object) -> None:
    """Check the name of a fact, so that a condition can be written with it.

    Args:
        name: The name.

    Raises:
        GalleryError: It is no text of letters, digits, ``_``, ``-``, ``.`` and blanks between them, or far too long.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        shown = repr(name) if len(repr(name)) < 100 else repr(name)[:100] + "..."
        raise GalleryError(
            f"a fact cannot be called {shown}: a name has at most {LONGEST_NAME} letters, digits, '_', '-', '.' and"
            " blanks between them; call it something else"
        )


def check_value(name: str, value: object) -> None:
    """Check a value of a fact.

    Args:
        name: Name of the fact.
        value: Its value.

    Raises:
        GalleryError: It is no text, finite number or bool, or none that every engine can keep.
    """
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        is_kept = abs(value) <= _MOST if isinstance(value, int) else math.isfinite(value)
        if not is_kept:
            what = "a whole number beyond 2^53" if isinstance(value, int) else repr(value)
            raise GalleryError(
                f"the fact {name!r} is {what}; a number is finite, and a whole one at most 2^53: give it as text"
            )
        return
    if not isinstance(value, str):
        raise GalleryError(f"the fact {name!r} is a {type(value).__name__}; it must be text, a number or a bool")
    if len(value) > LONGEST_TEXT or "\0" in value:
        why = "holds a zero byte" if "\0" in value else f"has {len(value):,} letters, and {LONGEST_TEXT} are the most"
        raise GalleryError(f"the fact {name!r} {why}; shorten or mend it")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise GalleryError(f"the fact {name!r} holds bytes that are no text: {value!r}; give it in UTF-8") from error


def check_facts(facts: Mapping[str, Fact]) -> None:
    """Check the facts of one picture; see `check_name` and `check_value`.

    Args:
        facts: By name.

    Raises:
        GalleryError: A name or a value cannot be kept.
    """
    for name, value in facts.items():
        check_name(name)
        check_value(name, value)


def read_value(name: str, text: str, kind: str) -> Fact:
    """Read the value of a fact from a text.

    Args:
        name: Name of the fact.
        text: The text.
        kind: The kind of the fact.

    Raises:
        GalleryError: The text is no value of this kind.
    """
    if kind == NUMBER:
        if not _NUMBER.fullmatch(text):
            raise GalleryError(f"the fact {name!r} is a number, got {text!r}; write one, e.g. {name}=3 or {name}=0.5")
        return int(text) if re.fullmatch("-?[0-9]+", text) else float(text)
    if kind == BOOL:
        if text.lower() not in _BOOLS:
            raise GalleryError(f"the fact {name!r} is true or false, got {text!r}")
        return _BOOLS[text.lower()]
    return text


def common_kind(texts: Iterable[str]) -> str:
    """Return the kind of a fact whose values are given as texts: a number only where each is one as it is written.

    >>> common_kind(["1", "2.5"]), common_kind(["0002", "7"]), common_kind(["true", "false"])
    ('number', 'text', 'bool')

    Args:
        texts: All of its values.
    """
    values = set(texts)
    if values and all(_NUMBER.fullmatch(value) for value in values):
        return NUMBER
    return BOOL if values and all(value.lower() in _BOOLS for value in values) else TEXT


def split_condition(text: str) -> tuple[str, str, str]:
    """Split a condition such as ``time>=2026-05-01`` into the fact, the comparison and the value.

    Args:
        text: The condition.

    Raises:
        GalleryError: It has no comparison, or nothing before it.
    """
    found = re.match(r"([^=!<>]+)(<=|>=|!=|==|=|<|>)(.*)\Z", text, re.DOTALL)
    if not found or not found[1].strip():
        raise GalleryError(
            f"a condition is FACT, one of {', '.join(COMPARISONS)}, and a value, e.g. camera=3 or 'time>=2026-05-01';"
            f" got {text!r}"
        )
    return found[1].strip(), "=" if found[2] == "==" else found[2], found[3].strip()


def read_conditions(where: object, kinds: Mapping[str, str]) -> tuple[Condition, ...]:
    """Make conditions of what a caller gives.

    Args:
        where: A dict of values by fact, which must be equal; or a list of texts such as ``"time>=2026-05-01"`` and
            `tipr_zoo.protocols.Condition`; or one of these; or None.
        kinds: Kinds of the gallery's facts by name.

    Raises:
        GalleryError: There is no such fact, or a value is of another kind.
    """
    if where is None:
        return ()
    if isinstance(where, Mapping):
        given: list[object] = [Condition(name, "=", value) for name, value in where.items()]
    else:
        given = list(where) if isinstance(where, Sequence) and not isinstance(where, str) else [where]
    return tuple(_condition(one, kinds) for one in given)


def _condition(given: object, kinds: Mapping[str, str]) -> Condition:
    if isinstance(given, str):
        name, comparison, text = split_condition(given)
        given = Condition(name, comparison, read_value(name, text, _kind(name, kinds)))
    if not isinstance(given, Condition):
        raise GalleryError(
            f"where takes a dict of facts, or texts such as 'time>=2026-05-01', got a {type(given).__name__}"
        )
    check_conditions([given], kinds)
    return given


def check_conditions(where: Sequence[Condition], kinds: Mapping[str, str]) -> None:
    """Check conditions against the facts of a gallery.

    Args:
        where: The conditions.
        kinds: Kinds of the gallery's facts by name.

    Raises:
        GalleryError: There is no such fact or comparison, or a value is of another kind.
    """
    for condition in where:
        kind = _kind(condition.fact, kinds)
        if condition.comparison not in COMPARISONS:
            raise GalleryError(
                f"there is no comparison {condition.comparison!r}; there are {', '.join(sorted(COMPARISONS))}"
            )
        check_value(condition.fact, condition.value)
        if kind_of(condition.value) != kind:
            raise GalleryError(
                f"the fact {condition.fact!r} is a {kind}, and is compared with the {kind_of(condition.value)}"
                f" {condition.value!r}; give a {kind}"
            )


def _kind(name: object, kinds: Mapping[str, str]) -> str:
    if name not in kinds:
        told = f"the gallery has the facts {', '.join(sorted(kinds))}" if kinds else "the gallery has no facts at all"
        raise GalleryError(str(unknown_name("fact", str(name), kinds, told)))
    return kinds[str(name)]
