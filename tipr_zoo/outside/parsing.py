"""Parsing text from outside: depth and number are limited first, and what goes wrong is a ValueError of one line."""

from __future__ import annotations

import json
import math
import re
from typing import Any

DEEPEST = 64
"""Levels of lists and maps in one another. Nothing that the zoo reads has more than ten."""

MOST_ENTRIES = 20_000
"""Entries of a card or a reference. The largest have some hundred."""

MOST_VALUES = 50_000_000
"""Commas and brackets of JSON. Everything that a file of the largest size could hold would not fit into memory."""

LONGEST_NUMBER = 40
"""Digits of a whole number."""

_NUMBER = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(-?(?:NaN|Infinity|\d[\d.eE+-]*))', re.DOTALL)
_BLOCK_START = re.compile(r"^[ \-?:]*", re.MULTILINE)
_SHORT = 32_768
"""Letters of YAML that cannot hold too many entries: one has at least two letters."""


class _NumberError(ValueError):
    """A number of JSON is none that can be used; the text says why, and what it is follows."""

    def __init__(self, number: str, reason: str) -> None:
        super().__init__(reason)
        self.number = number


def parse_json(text: str, *, nan: bool = False) -> Any:
    """Parse JSON. Its depth, and how much it holds, is measured before anything is made of it.

    Args:
        text: The JSON.
        nan: Whether NaN may stand where a number may, as pandas writes it into an empty cell.

    Raises:
        json.JSONDecodeError: It is no JSON, or holds NaN, an infinite number, or a whole number of more than
            `LONGEST_NUMBER` digits; with the place.
        ValueError: It is nested more than `DEEPEST` levels deep, or holds more than `MOST_VALUES` values.
    """
    _check_size(text)
    try:
        return (_DECODER_WITH_NAN if nan else _DECODER).decode(text)
    except _NumberError as error:
        raise _placed(error, text) from error
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"it cannot be parsed: {type(error).__name__}") from error


def _whole(number: str) -> int:
    if len(number) > LONGEST_NUMBER:
        raise _NumberError(number, f"a whole number of {len(number.lstrip('-')):,} digits is too long")
    return int(number)


def _real(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise _NumberError(number, f"{_shown(number)} is too large for a number")
    return value


def _no_number(word: str) -> None:
    raise _NumberError(word, f"{word} is no number")


def _nan_only(word: str) -> float:
    if word != "NaN":
        _no_number(word)
    return math.nan


_DECODER_WITH_NAN = json.JSONDecoder(parse_int=_whole, parse_float=_real, parse_constant=_nan_only)
_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_real, parse_constant=_no_number)


def _placed(error: _NumberError, text: str) -> ValueError:
    """Return the error with the place of the number, and of the entry of a list that it is in."""
    place = next((found.start() for found in _NUMBER.finditer(text) if found[1] == error.number), None)
    if place is None:
        return error
    open_brackets: list[list[Any]] = []
    for letter in _NUMBER.sub("", text[:place]):
        if letter in "[{":
            open_brackets.append([letter, 0])
        elif letter in "]}":
            open_brackets.pop()
        elif letter == ",":
            open_brackets[-1][1] += 1
    entry = next((f" in entry {count}, counted from 0" for letter, count in open_brackets if letter == "["), "")
    return json.JSONDecodeError(f"{error}{entry}", text, place)


def _shown(number: str) -> str:
    return number if len(number) <= LONGEST_NUMBER else number[:LONGEST_NUMBER] + "..."


def _check_size(text: str) -> None:
    """Refuse JSON that is nested too deeply or holds too much.

    Everything but its brackets is dropped; then, level by level, the innermost pairs.
    """
    brackets = text.count("[") + text.count("{")
    if brackets <= DEEPEST and len(text) <= MOST_VALUES:
        return
    content = text.encode(errors="surrogatepass")
    if brackets + content.count(b",") > MOST_VALUES and len(_outside_words(content, b"[{,")) > MOST_VALUES:
        raise ValueError(f"it holds more than {MOST_VALUES:,} values")
    _check_depth(_outside_words(content, b"[]{}"))


def _outside_words(content: bytes, wanted: bytes) -> bytes:
    """Return those bytes of JSON that are wanted and stand in no word between quotes."""
    if b"\\" in content:  # a pair, from the left on, is a backslash in a word; one that is left belongs to a quote
        content = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    content = content.translate(None, bytes(set(range(256)) - set(wanted + b'"')))
    # Two quotes side by side can go: what stands before and behind them is within a word, or not, as it was.
    return b"".join(content.replace(b'""', b"").split(b'"')[::2])


def _check_depth(brackets: bytes) -> None:
    for _ in range(DEEPEST):
        flatter = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(flatter) == len(brackets):
            break
        brackets = flatter
    else:
        if brackets:
            raise _too_deep()
    depth = 0
    for bracket in brackets:  # nothing is left of sound JSON
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {DEEPEST} levels deep")


def check_yaml_nesting(text: str) -> None:
    """Refuse YAML that is nested too deeply or has too many entries, before anything is made of it.

    A parser in C calls itself for every level, and ends the process where they are too many.

    Args:
        text: The YAML.

    Raises:
        yaml.YAMLError: It is no YAML, or has too many levels or entries; with the place.
    """
    # A level takes a column of its own at the head of a line, or a bracket; a list in a map needs no column.
    head = max(map(len, _BLOCK_START.findall(text)), default=0)
    if 2 * (head + 1) + text.count("[") + text.count("{") <= DEEPEST and len(text) <= _SHORT:
        return
    import yaml  # not at the top: it is not needed where everything was parsed before

    depth = entries = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        mark: Any = event.start_mark  # the types know the mark of one parser only
        entries += isinstance(event, yaml.NodeEvent)
        if depth > DEEPEST:
            said = f"it is nested more than {DEEPEST} levels deep; write it flatter"
            raise yaml.MarkedYAMLError(problem=said, problem_mark=mark)
        if entries > 2 * MOST_ENTRIES:  # a key and its value are two
            said = f"it has more than {MOST_ENTRIES:,} entries; write fewer"
            raise yaml.MarkedYAMLError(problem=said, problem_mark=mark)
