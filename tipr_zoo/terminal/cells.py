"""How much room a text takes in a terminal, whose cells hold half of some letters and several of others."""

from __future__ import annotations

import re
import textwrap

_BLANKS = r"(\s+)"

_NARROW = r"[ -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2030-\u205e\u2200-\u22ff]*"
"""Letters of Latin scripts and common marks: each fills one cell, and to know that needs no table."""


def is_narrow(text: str) -> bool:
    """Tell whether each letter of a line is known to fill one cell."""
    return text.isascii() or re.fullmatch(_NARROW, text) is not None


def cell_width(text: str) -> int:
    """Return the number of a terminal's cells that `text` fills.

    >>> cell_width("a man"), cell_width("\u7ea2\u8272")
    (5, 4)

    Args:
        text: One line without control characters.
    """
    if is_narrow(text):
        return len(text)
    from wcwidth import wcswidth  # not at the top: most texts are ASCII

    width = wcswidth(text)
    return width if width >= 0 else len(text)


def filled(
    text: str, width: int, indent: str = "", next_indent: str = "", hyphens: bool = True, long_words: bool = True
) -> str:
    """Break a text into lines between words, as `textwrap.fill` does, counting cells.

    Args:
        text: The text.
        width: Most cells of a line.
        indent: What stands before the first line.
        next_indent: What stands before every other line.
        hyphens: Whether a line may also end after a hyphen inside a word.
        long_words: Whether a word that is wider than a line is broken. If not, a path can be copied.

    Returns:
        The lines, with line breaks between them.
    """
    if text.isascii() and indent.isascii() and next_indent.isascii():
        return textwrap.fill(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=next_indent,
            break_on_hyphens=hyphens,
            break_long_words=long_words,
        )
    lines, line, blanks, has_word = [], indent, "", False
    for part in re.split(_BLANKS, text):
        if part.isspace():
            blanks = part
            continue
        room = max(1, width - cell_width(next_indent))
        for piece in cut(part, room) if long_words and cell_width(part) > room else filter(None, [part]):
            if has_word and cell_width(line + blanks + piece) > width:
                lines.append(line)
                line, blanks = next_indent, ""
            line, blanks, has_word = line + blanks + piece, "", True
    return "\n".join([*lines, line])


def cut(text: str, width: int) -> list[str]:
    """Cut a text into parts of at most `width` cells, between letters.

    Args:
        text: The text.
        width: Most cells of a part. A letter that is wider stands alone.

    Returns:
        The parts; none where the text is empty.
    """
    if text.isascii():
        return [text[start : start + width] for start in range(0, len(text), width)]
    from wcwidth import iter_graphemes  # not at the top: most texts are ASCII

    parts: list[str] = []
    for letter in iter_graphemes(text):
        if parts and cell_width(parts[-1] + letter) <= width:
            parts[-1] += letter
        else:
            parts.append(letter)
    return parts
