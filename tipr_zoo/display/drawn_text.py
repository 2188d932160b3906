"""Parts that all drawn pages share: colours, the font, and breaking a text into lines."""

from __future__ import annotations

import re
from bisect import bisect_right

from PIL import ImageFont

PAPER, INK, PALE_INK = (255, 255, 255), (28, 30, 34), (104, 110, 120)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def page_font(size: int) -> Font:
    """Return the font of all drawn pages."""
    return ImageFont.load_default(size)


def break_lines(text: str, font: Font, width: int) -> list[tuple[int, int]]:
    """Break a text between words. Break also inside a word that is wider than a line.

    Args:
        text: Any text. It may break at white space.
        font: The font of the text.
        width: Most pixels of a line.

    Returns:
        For each line, the index in `text` of its first character and the index after its last.
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
    """Return where to break a word that is too wide for a line. The first part has at least one character."""
    stops = range(start + 1, end)
    return start + max(1, bisect_right(stops, float(width), key=lambda stop: font.getlength(text[start:stop])))
