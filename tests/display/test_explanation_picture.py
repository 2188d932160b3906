"""The drawing of an explanation: panels, colours and lines of text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont

from tipr_zoo.display.drawn_text import break_lines
from tipr_zoo.display.explanation_picture import draw_explanation
from tipr_zoo.explaining.explanation import ExplainedWord, Explanation
from tipr_zoo.explaining.patch_grid import PatchGrid
from tipr_zoo.tokenizers import CaptionWord

SIDE = 130
"""Pixels a panel is wide."""
FIRST_WORD = 24 + SIDE + 14
"""Where the panel of the first word begins."""


def explanation_by_hand(*maps: list[list[float]], importances: list[float] | None = None) -> Explanation:
    """Words `w0 w1 ...` of falling importance on a picture of 2 x 1 patches."""
    caption = " ".join(f"w{index}" for index in range(len(maps)))
    words = [
        ExplainedWord(
            CaptionWord(f"w{index}", 3 * index, 3 * index + 2, range(index + 1, index + 2)),
            importances[index] if importances else 0.5 / (1 + index),
            torch.tensor(weights),
        )
        for index, weights in enumerate(maps)
    ]
    return Explanation(caption, 0.5, len(caption), words, PatchGrid((128, 64), (2, 1), 64, 64))


def coloured(sheet: Image.Image, column: int, height: int) -> list[bool]:
    """Whether the middles of a panel's upper and lower half are coloured rather than grey."""
    x = 24 + column * (SIDE + 14) + SIDE // 2
    top = 24 + 31 + 14
    pixels = [sheet.getpixel((x, top + height // 4)), sheet.getpixel((x, top + 3 * height // 4))]
    return [max(pixel) - min(pixel) > 20 for pixel in pixels]


def test_the_picture_stands_first_and_heavy_patches_are_coloured() -> None:
    picture = Image.new("RGB", (64, 128), (0, 0, 0))
    sheet = draw_explanation(explanation_by_hand([[0.9], [0.1]], [[0.2], [0.8]], [[0.5], [0.5]]), picture)
    assert [coloured(sheet, column, 2 * SIDE) for column in range(4)] == [
        [False, False],
        [True, False],
        [False, True],
        [False, False],
    ]
    hottest = (np.asarray(sheet) == sheet.getpixel((FIRST_WORD + 5, 24 + 31 + 14 + 5))).all(axis=2)
    rows, columns = hottest.any(axis=1).nonzero()[0], hottest.any(axis=0).nonzero()[0]
    assert (rows[0], rows[-1] + 1) == (69, 69 + SIDE)  # the upper one of two square patches, sharp to the pixel
    assert (columns[0], columns[-1] + 1) == (FIRST_WORD, FIRST_WORD + SIDE)


def test_by_occlusion_what_adds_is_coloured_and_what_takes_away_is_grey() -> None:
    by_hand = explanation_by_hand([[0.02], [-0.3]], [[0.0], [0.02]])
    sheet = draw_explanation(replace(by_hand, map="occlusion"), Image.new("RGB", (64, 128)))
    assert [coloured(sheet, column, 2 * SIDE) for column in range(3)] == [[False, False], [True, False], [False, True]]


def test_a_caption_has_colour_under_the_words_that_matter() -> None:
    explanation = explanation_by_hand(*[[[0.5], [0.5]]] * 3, importances=[0.0, 0.4, 0.1])
    sheet = draw_explanation(explanation, Image.new("RGB", (64, 128)), count=2)
    line = np.asarray(sheet)[24 + 23, 24:120].astype(int)  # under the letters
    marked = (line.max(axis=1) - line.min(axis=1) > 20).nonzero()[0]
    assert marked[0] > 20  # the first word does not matter
    saturation = line.max(axis=1) - line.min(axis=1)
    assert saturation[marked[3]] > saturation[marked[-3]] > 20


@pytest.mark.parametrize("importances", [[0.0, 0.0], [-0.2, -0.3]], ids=["none matters", "all speak against it"])
def test_words_that_do_not_matter_are_drawn(importances: list[float]) -> None:
    explanation = explanation_by_hand([[0.5], [0.5]], [[1.0], [0.0]], importances=importances)
    assert draw_explanation(explanation, Image.new("RGB", (64, 128))).width == 900


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 20), (64, 192)])
@pytest.mark.parametrize("count", [1, 6, 11])
def test_pictures_of_any_shape_and_any_number_of_words_are_drawn(size: tuple[int, int], count: int) -> None:
    explanation = explanation_by_hand(*[[[0.25], [0.75]]] * count)
    least = draw_explanation(explanation, Image.new("RGB", size), count=1).height
    sheet = draw_explanation(explanation, Image.new("RGB", size), count)
    assert sheet.width == 900
    assert (sheet.height > least) == (count > 5)


def test_lines_break_between_words_and_inside_wide_ones() -> None:
    font, text = ImageFont.load_default(15), "a red jacket and " + "o" * 100 + " jeans"
    lines = [text[start:end] for start, end in break_lines(text, font, 90)]
    assert lines[0] == "a red jacket"
    assert max(font.getlength(line) for line in lines) <= 90
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert lines[-1].endswith("jeans")
