"""The rule for characters that are never printed as they are.

They control the terminal, or turn the order of what is read. Names of files and texts of cards come from anybody.
Letters of all languages stay, and so do the joiners inside words and emoji.
"""

from __future__ import annotations

import re

_CONTROLS = "\x00-\x1f\x7f-\x9f"
_BIDIRECTIONAL = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_LINE_ENDS = "\u2028\u2029"
_INVISIBLE = "\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_HALVES = "\ud800-\udfff"
"""What Python makes of bytes of a file's name that are no text."""

_ALL = _CONTROLS + _BIDIRECTIONAL + _LINE_ENDS + _INVISIBLE

# Patterns are texts, which `re` compiles once they are used: most texts are printable.
_UNSAFE = f"[{_ALL}]"
_UNSAFE_OR_HALF = f"[{_ALL}{_HALVES}]"
_UNSAFE_ON_LINES = rf"(?![\n\t])[{_ALL}{_HALVES}]"
_NOT_ESCAPED_BY_JSON = f"[\x7f-\x9f{_BIDIRECTIONAL}{_LINE_ENDS}{_INVISIBLE}{_HALVES}]"


def replaced(text: str) -> str:
    r"""Return `text` with a replacement character for each unsafe one. Tables show texts like this.

    >>> replaced("a red jacket \x1b")
    'a red jacket \ufffd'
    """
    return text if text.isprintable() else re.sub(_UNSAFE, "\N{REPLACEMENT CHARACTER}", text)


def escaped(text: str) -> str:
    r"""Return `text` with each unsafe character as Python writes it, e.g. ``\x1b``. Messages show names like this."""
    return text if text.isprintable() else re.sub(_UNSAFE_OR_HALF, _escape, text)


def escaped_lines(text: str) -> str:
    """Return the same as `escaped`, with its line ends and tabulators."""
    if all(line.isprintable() for line in text.split("\n")):  # no character that is unsafe is printable
        return text
    return re.sub(_UNSAFE_ON_LINES, _escape, text)


def escaped_json(text: str) -> str:
    """Return JSON of the same value, in which unsafe characters of texts are escapes. It is strict UTF-8.

    Args:
        text: JSON. Its texts have no control characters below 32, which every writer of JSON escapes.
    """
    return re.sub(_NOT_ESCAPED_BY_JSON, _json_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[match[0]]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
