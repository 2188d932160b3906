"""The captions of one entry: a text, a list of texts, or a list that was written into a cell as text."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Any

from tipr_zoo.datasets.reading.json_files import json_type
from tipr_zoo.datasets.reading.words import is_empty_word
from tipr_zoo.errors import UnusableAnnotationError

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_ARRAY = re.compile(r"array\(\s*(\[.*\])\s*(?:,\s*dtype=[^()]*)?\)", re.DOTALL)
_ELEMENT = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,'"\[\](){}]+)(\s*,\s*|\s+|\s*\Z)""", re.DOTALL)
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_OPENINGS = (*_BRACKETS, "array(")


def read_captions(value: Any) -> tuple[str, ...]:
    """Read the captions of one entry, and check that each is a text that says something.

    A text such as ``['a man in red', 'he has a bag']``, which a program made of a list, is that list again.

    Args:
        value: A text, or a list of texts.

    Raises:
        UnusableAnnotationError: There is no caption. Or one is no text, is blank, is a word for an empty cell, has half
            a character, or is a list that cannot be told apart.
    """
    is_list = isinstance(value, list)
    captions: Sequence[Any] = value if is_list else [value]
    if not captions:
        raise _no_caption()
    if any(isinstance(caption, str) and caption.lstrip().startswith(_OPENINGS) for caption in captions):
        captions = [part for place, caption in enumerate(captions) for part in _parts(caption, _name(place, is_list))]
        is_list = is_list or len(captions) > 1
        if not captions:
            raise _no_caption()
    for place, caption in enumerate(captions):
        _check_caption(caption, place, is_list)
    return tuple(captions)


def check_characters(text: str, name: str) -> None:
    """Check that a text has no half of a character, which an escape like ``\\ud83d`` alone leaves in JSON.

    Raises:
        UnusableAnnotationError: It has one.
    """
    if not text.isascii() and (half := _HALF_CHARACTER.search(text)):
        raise UnusableAnnotationError(
            "half a character",
            f"{name} has the escape {half.group()!r}, half of a character, in {text!r}; write it whole",
        )


def _no_caption() -> UnusableAnnotationError:
    return UnusableAnnotationError(
        "no caption", "its captions are an empty list; give it a caption, or remove the record"
    )


def _name(place: int, is_list: bool) -> str:
    return f"caption {place}" if is_list else "its caption"


def _check_caption(caption: Any, place: int, is_list: bool) -> None:
    name = _name(place, is_list)
    if not isinstance(caption, str):
        raise UnusableAnnotationError("wrong type", f"{name} is a JSON {json_type(caption)}; write it as a string")
    if not caption.strip() or is_empty_word(caption):
        rest = "it from the list" if is_list else "the record"
        word = f"{caption!r}, which is written for an empty cell" if caption.strip() else "empty"
        raise UnusableAnnotationError("empty caption", f"{name} is {word}; write one, or remove {rest}")
    check_characters(caption, name)
    if not (caption[0].isalnum() or any(letter.isalnum() for letter in caption)):
        rest = "it from the list" if is_list else "the record"
        raise UnusableAnnotationError(
            "empty caption", f"{name} is {caption!r}, without a letter; write one, or remove {rest}"
        )


def _parts(caption: Any, name: str) -> list[Any]:
    """Return the texts of a list that was written as text; any other caption alone.

    Raises:
        UnusableAnnotationError: It looks like a list, and is none that can be read.
    """
    if not isinstance(caption, str):
        return [caption]
    text = caption.strip()
    if array := _ARRAY.fullmatch(text):
        text = array.group(1)
    opening, inner = text[:1], text[1:-1]
    if opening not in _BRACKETS:
        return [caption]
    is_closed = len(text) > 1 and text[-1] == _BRACKETS[opening]
    is_quoted = text.lstrip("[({ \t\r\n")[:1] in ("'", '"') or (array is not None)
    if is_closed and (is_quoted or not inner.strip() or inner.strip() in ("nan", "None")):
        parts = _elements(inner)
        if parts is not None:
            return parts
    # A pair of brackets around the whole text is no sentence, and neither is a list that was cut off.
    looks_like_list = is_quoted or (is_closed and _BRACKETS[opening] not in inner)
    if opening in "[{" and looks_like_list:
        raise UnusableAnnotationError(
            "list in a text",
            f"{name} looks like a list that cannot be read, {_shortened(text)!r}; write it as"
            ' ["one caption", "another"], or one caption a row',
        )
    return [caption]


def _elements(inner: str) -> list[str] | None:
    """Read what stands between the brackets: quoted texts with commas or, as numpy writes them, blanks between.

    Returns:
        The texts; that of a word for an empty cell is empty. None if anything else stands there.
    """
    texts, place, inner = [], 0, inner.strip()
    while place < len(inner):
        match = _ELEMENT.match(inner, place)
        if match is None:
            return None
        token = match.group(1)
        if token[0] in "'\"":
            text = _unquoted(token)
            if text is None:
                return None
            texts.append(text)
        elif is_empty_word(token):
            texts.append("")
        else:
            return None
        place = match.end()
    return texts


def _unquoted(token: str) -> str | None:
    if token[0] == '"':
        try:
            return str(json.loads(token, strict=False))
        except ValueError:
            pass  # an escape that only Python knows
    try:
        return str(ast.literal_eval(token.replace("\n", "\\n").replace("\r", "\\r")))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
