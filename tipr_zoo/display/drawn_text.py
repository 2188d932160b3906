"""What every drawn page shares: its colours, its font, and a text broken into lines."""

from __future__ import annotations

import re
from bisect import bisect_right

from PIL import ImageFont

PAPER, INK, PALE_INK = (255, 255, 255), (28, 30, 34), (104, 110, 120)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def page_font(size: int) -> Font:
    """The font of every drawn page."""
    return ImageFont.load_default(size)


def break_lines(text: str, font: Font, width: int) -> list[tuple[int, int]]:
    """Break a text between words, and inside those that are wider than a line.

    Args:
        text: Any text; its white space is where it may break.
        font: The font that it is written in.
        width: Most pixels a line.

    Returns:
        First character of each line in `text`, and the one after its last.
    """
    lines: list[tuple[int, int]] = []
    for start, end in (match.span() for match in re.finditer(r"\S+", text)):
        if lines and font.getlength(text[lines[-1][0] : end]) <= width:
            lines[-1] = (lines[-1][0], end)
            continue
        while font.getlength(text[start : min(end, start + width)]) > width:
            stop = _most_that_fits(text, start, min(end, start + width), font, width)
            lines.append((start, stop))
            start = stop
        lines.append((start, end))
    return lines


def _most_that_fits(text: str, start: int, end: int, font: Font, width: int) -> int:
    """Where to break inside a word that is too wide for a line, after at least one character."""
    stops = range(start + 1, end)
    return start + max(1, bisect_right(stops, float(width), key=lambda stop: font.getlength(text[start:stop])))
