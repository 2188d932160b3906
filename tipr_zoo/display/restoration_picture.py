"""Drawing the restorations of a picture, one for each caption."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PIL import Image, ImageDraw

from tipr_zoo.display.drawn_text import INK, PALE_INK, PAPER, break_lines, page_font
from tipr_zoo.explaining.restoration import RestoredPicture

_MARGIN, _GAP = 24, 18
_PANEL_WIDTH, _MOST_HEIGHT = 200, 560
_TITLE_SIZE, _TEXT_SIZE = 17, 15
_TITLE_LINE, _TEXT_LINE = 26, 21
_CHANGED = (255, 226, 138)
"""The colour behind a word that differs from the first caption's word in that place."""


def draw_restoration(restored: RestoredPicture) -> Image.Image:
    """Draw side by side the picture, what the model saw of it, and the restoration by each caption.

    The caption stands under its restoration. Words that differ from the first caption's stand on a colour.

    Args:
        restored: The result of `tipr_zoo.explaining.restoration.restore`.

    Returns:
        An RGB picture.
    """
    share = f"{restored.hidden_share:.0%} hidden"
    panels: list[tuple[Image.Image, str, str, Sequence[tuple[int, int]]]] = [
        (restored.original, "the picture", "", ()),
        (restored.seen, "what the model sees", share, ()),
    ]
    first = restored.restorations[0].caption
    for index, restoration in enumerate(restored.restorations):
        title = "restored" if index == 0 else "with other words"
        changed = _changed_words(first, restoration.caption)
        panels.append((restoration.picture, title, restoration.caption, changed))
    font = page_font(_TEXT_SIZE)
    lines = [break_lines(text, font, _PANEL_WIDTH) for _, _, text, _ in panels]
    height = min(_MOST_HEIGHT, round(_PANEL_WIDTH * restored.original.height / restored.original.width))
    width = 2 * _MARGIN + len(panels) * _PANEL_WIDTH + (len(panels) - 1) * _GAP
    text_top = _MARGIN + height + 10 + _TITLE_LINE
    sheet = Image.new("RGB", (width, text_top + max(map(len, lines)) * _TEXT_LINE + _MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, (picture, title, text, changed) in enumerate(panels):
        left = _MARGIN + index * (_PANEL_WIDTH + _GAP)
        sheet.paste(_enlarged(picture, height), (left, _MARGIN))
        draw.text((left, text_top - _TITLE_LINE), title, font=page_font(_TITLE_SIZE), fill=INK)
        _write(draw, text, lines[index], changed, left, text_top)
    return sheet


def _enlarged(picture: Image.Image, height: int) -> Image.Image:
    """Enlarge the picture to a panel. It is not smoothed, so patches keep their borders."""
    width = min(_PANEL_WIDTH, round(picture.width * height / picture.height))
    return picture.resize((width, height), Image.Resampling.NEAREST)


def _changed_words(first: str, caption: str) -> Sequence[tuple[int, int]]:
    """Return the start and the end of each word that differs from the first caption's word in that place."""
    words, usual = (list(re.finditer(r"\S+", text)) for text in (caption, first))
    before = [word[0] for word in usual] + [""] * max(0, len(words) - len(usual))
    return [word.span() for word, other in zip(words, before, strict=False) if word[0] != other]


def _write(
    draw: ImageDraw.ImageDraw,
    text: str,
    lines: Sequence[tuple[int, int]],
    changed: Sequence[tuple[int, int]],
    left: int,
    top: int,
) -> None:
    """Write a text line by line, with its changed words on a colour."""
    font = page_font(_TEXT_SIZE)
    for index, (start, end) in enumerate(lines):
        y = top + index * _TEXT_LINE
        for first, last in changed:
            if start <= first < end:
                x, right = (left + font.getlength(text[start:stop]) for stop in (first, min(last, end)))
                draw.rounded_rectangle((x - 2, y - 1, right + 1, y + _TEXT_LINE - 4), 4, fill=_CHANGED)
        draw.text((left, y), text[start:end], font=font, fill=PALE_INK)
