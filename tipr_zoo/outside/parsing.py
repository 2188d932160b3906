"""Parsing text from outside: depth and number are limited first, and what goes wrong is a ValueError of one line."""

from __future__ import annotations

import json
import re
from typing import Any

DEEPEST = 64
"""Levels of lists and maps in one another. Nothing that the zoo reads has more than ten."""

MOST_ENTRIES = 20_000
"""Entries of a card or a reference. The largest have some hundred."""

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_QUOTED = re.compile(rb'"[^"]*"')
_NO_BRACKET = bytes(set(range(256)) - set(b'[]{}"'))
_BLOCK_START = re.compile(r"^[ \-?:]*", re.MULTILINE)
_MEASURED = 1 << 20
"""Letters of JSON whose depth is measured before it is parsed."""

_SHORT = 32_768
"""Letters of YAML that cannot hold too many entries: one has at least two letters."""


def parse_json(text: str) -> Any:
    """Parse JSON.

    Args:
        text: The JSON.

    Raises:
        json.JSONDecodeError: It is no JSON; with the place.
        ValueError: It is nested more than `DEEPEST` levels deep, or holds a number of thousands of digits.
    """
    # To measure a large annotation file takes as long as to parse it. The parser itself stops at some hundred levels.
    if len(text) <= _MEASURED and _is_deep_json(text.encode(errors="surrogatepass")):
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    try:
        return json.loads(text)
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"it cannot be parsed: {type(error).__name__}") from error


def _is_deep_json(content: bytes) -> bool:
    """Tell whether brackets stand in one another more than `DEEPEST` levels deep.

    Everything but brackets and quotes is dropped, then level by level the innermost pairs.
    """
    if content.count(b"[") + content.count(b"{") <= DEEPEST:
        return False
    if b"\\" in content:
        content = _ESCAPE.sub(b"", content)
    brackets = _QUOTED.sub(b"", content.translate(None, _NO_BRACKET)).replace(b'"', b"")
    for _ in range(DEEPEST):
        flatter = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(flatter) == len(brackets):
            break
        brackets = flatter
    else:
        return bool(brackets)
    depth = deepest = 0
    for bracket in brackets:  # nothing is left of sound JSON
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest > DEEPEST


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
