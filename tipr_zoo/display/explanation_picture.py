"""Drawing an explanation: the caption with the words that matter, and where in the picture each of them is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from tipr_zoo.display.drawn_text import INK, PALE_INK, PAPER, break_lines, page_font
from tipr_zoo.explaining.explanation import OCCLUSION, ExplainedWord, Explanation

_WIDTH, _MARGIN, _GAP, _COLUMNS = 900, 24, 14, 6
_PANEL_WIDTH = (_WIDTH - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) // _COLUMNS
_PANEL_HEIGHT = 390
_CAPTION_SIZE, _WORD_SIZE = 19, 17
_CAPTION_LINE, _WORD_LINE, _SCORE_LINE, _LEGEND_HEIGHT = 31, 22, 34, 26
_UNREAD_INK = (176, 180, 186)
_HEAT = np.array([(255, 244, 190), (254, 178, 76), (240, 59, 32), (150, 0, 38)], dtype=np.float32)
"""Colours along the scale of the weights, from its lower end to its upper end."""


def draw_explanation(explanation: Explanation, picture: Image.Image, count: int = 5) -> Image.Image:
    """Draw the caption and its score, then the picture, and the picture once more for each word that matters.

    In the caption these words stand on a colour. The more a word matters, the stronger its colour. Text that was cut
    off is pale. Under each word's picture stands how the score changes when the word is left out.

    By occlusion, a square is coloured by how much less the word adds to the score when the square is hidden. By tokens,
    a patch is coloured by how far its weight is above 1/N, the equal share of each of the N patches. All words share
    one scale, and what is below it stays grey. Where patches overlap, a pixel has the mean of them.

    Args:
        explanation: The result of `tipr_zoo.explaining.explanation.explain`.
        picture: The explained picture, RGB.
        count: Number of words. Where the caption has fewer, all of them.

    Returns:
        An RGB picture, 900 pixels wide.

    Raises:
        ConfigError: `count` is below 1.
    """
    words = explanation.most_important(count)
    maps = [explanation.grid.pixel_map(word.weights) for word in words]
    greatest = max(float(weights.max()) for weights in maps)
    if explanation.map == OCCLUSION:
        scale = _Scale(0.0, max(greatest, 1e-6), "0", "the word adds that much less when the square is hidden")
    else:
        equal = 1 / words[0].weights.numel()
        # Rounding must not colour a word whose patches all have the equal share.
        scale = _Scale(equal, max(greatest, 1.001 * equal), f"weight of a patch: {equal:.3f}, an equal share", "")
    shown = _fit(picture)
    panels = [shown, *(_overlay(_dimmed(shown), scale.shares(weights)) for weights in maps)]
    labels = [("the picture", f"score {explanation.score:.3f}"), *(_label(word) for word in words)]
    lines = break_lines(explanation.caption, page_font(_CAPTION_SIZE), _WIDTH - 2 * _MARGIN)
    rows = -(-len(panels) // _COLUMNS)
    word_lines = max(len(_word_lines(text)) for text, _ in labels)
    row_height = shown.height + word_lines * _WORD_LINE + _SCORE_LINE + _GAP
    top = _MARGIN + len(lines) * _CAPTION_LINE + _GAP
    sheet = Image.new("RGB", (_WIDTH, top + rows * row_height + _LEGEND_HEIGHT + _MARGIN), PAPER)
    _draw_caption(sheet, explanation, words, lines)
    for index, (panel, label) in enumerate(zip(panels, labels, strict=True)):
        row, column = divmod(index, _COLUMNS)
        _draw_panel(sheet, panel, label, _MARGIN + column * (_PANEL_WIDTH + _GAP), top + row * row_height)
    _draw_legend(sheet, scale, top + rows * row_height)
    return sheet


@dataclass(frozen=True)
class _Scale:
    """The scale of the colours.

    Attributes:
        lowest: The value of its lower end.
        greatest: That of its upper end, the greatest of any pixel.
        before: What the legend says before the colours.
        after: What it says behind the greatest value.
    """

    lowest: float
    greatest: float
    before: str
    after: str

    def shares(self, weights: Tensor) -> Tensor:
        """Return the places of weights, of any shape, on the scale from 0 to 1."""
        return ((weights - self.lowest) / (self.greatest - self.lowest)).clamp(0, 1)


def _label(word: ExplainedWord) -> tuple[str, str]:
    """Return the word, and how the score changes without it."""
    return word.word.text, f"{-word.importance:+.3f}"


def _fit(picture: Image.Image) -> Image.Image:
    """Return the picture at the size of a panel. Its proportions stay."""
    scale = min(_PANEL_WIDTH / picture.width, _PANEL_HEIGHT / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _dimmed(picture: Image.Image) -> Image.Image:
    """Return the picture in pale grey, so that all colours on it are those of the weights."""
    grey = picture.convert("L").convert("RGB")
    return Image.blend(grey, Image.new("RGB", picture.size, PAPER), 0.35)


def _overlay(grey: Image.Image, shares: Tensor) -> Image.Image:
    """Lay the colours of (H, W) places on the scale over a picture. A higher place is more opaque."""
    resized = Image.fromarray(shares.numpy()).resize(grey.size, Image.Resampling.NEAREST)
    share = np.asarray(resized)
    opacity = 0.85 * share[..., None]
    return _to_picture(np.asarray(grey) * (1 - opacity) + _colour(share) * opacity)


def _to_picture(pixels: np.ndarray) -> Image.Image:
    """Turn (H, W, 3) float pixels in [0, 255] into a picture."""
    return Image.fromarray(pixels.round().astype(np.uint8))


def _colour(share: np.ndarray) -> np.ndarray:
    """Return the float RGB colours of shares in [0, 1], of any shape."""
    stops = np.linspace(0, 1, len(_HEAT))
    return np.stack([np.interp(share, stops, channel) for channel in _HEAT.T], axis=-1)


def _draw_caption(
    sheet: Image.Image, explanation: Explanation, words: Sequence[ExplainedWord], lines: Sequence[tuple[int, int]]
) -> None:
    """Write the caption. The words that matter stand on a colour. What the model does not read has a pale ink."""
    draw, font, caption = ImageDraw.Draw(sheet), page_font(_CAPTION_SIZE), explanation.caption
    most = max(word.importance for word in words)
    for index, (start, end) in enumerate(lines):
        y = _MARGIN + index * _CAPTION_LINE
        for word in (word for word in words if word.importance > 0):
            first, last = max(word.word.start, start), min(word.word.end, end)
            if first < last:
                left, right = (_MARGIN + font.getlength(caption[start:stop]) for stop in (first, last))
                box = (left - 2, y - 2, right + 1, y + _CAPTION_LINE - 7)
                draw.rounded_rectangle(box, 4, fill=_word_colour(word.importance, most))
        seen = min(max(explanation.read, start), end)
        draw.text((_MARGIN, y), caption[start:seen], font=font, fill=INK)
        draw.text((_MARGIN + font.getlength(caption[start:seen]), y), caption[seen:end], font=font, fill=_UNREAD_INK)


def _word_colour(importance: float, most: float) -> tuple[int, ...]:
    """Return the colour behind a word: pale at no importance, strong at the greatest, but never too dark to read."""
    share = max(0.0, importance / most) if most > 0 else 0.0
    return tuple(int(channel) for channel in _colour(np.array(0.1 + 0.35 * share)).round())


def _draw_panel(sheet: Image.Image, panel: Image.Image, label: tuple[str, str], left: int, top: int) -> None:
    """Paste a picture. Write under it, centred, what it shows and a number."""
    sheet.paste(panel, (left + (_PANEL_WIDTH - panel.width) // 2, top))
    draw = ImageDraw.Draw(sheet)
    middle, y = left + _PANEL_WIDTH / 2, top + panel.height + 8
    for line in _word_lines(label[0]):
        draw.text((middle, y), line, font=page_font(_WORD_SIZE), fill=INK, anchor="ma")
        y += _WORD_LINE
    draw.text((middle, y + 1), label[1], font=page_font(15), fill=PALE_INK, anchor="ma")


def _word_lines(text: str) -> list[str]:
    """Break the text under a panel into lines."""
    return [text[start:end] for start, end in break_lines(text, page_font(_WORD_SIZE), _PANEL_WIDTH)]


def _draw_legend(sheet: Image.Image, scale: _Scale, top: int) -> None:
    """Draw the meanings of the colours and the numbers."""
    draw, font = ImageDraw.Draw(sheet), page_font(14)
    bar = _to_picture(_colour(np.tile(np.linspace(0, 1, 110), (12, 1))))
    x = float(_MARGIN)
    for part in (scale.before, bar, f"{scale.greatest:.3f}  {scale.after}".rstrip()):
        if isinstance(part, str):
            draw.text((x, top + 4), part, font=font, fill=PALE_INK)
            x += font.getlength(part) + 8
        else:
            sheet.paste(part, (round(x), top + 7))
            x += part.width + 8
    note = "number: change of the score without the word"
    draw.text((_WIDTH - _MARGIN, top + 4), note, font=font, fill=PALE_INK, anchor="ra")
