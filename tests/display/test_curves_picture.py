"""The drawing of curves: how many there are, of how many epochs, and that nothing leaves its place."""

from __future__ import annotations

import math

import pytest
from PIL import Image

from tipr_zoo.display.curves_picture import Curve, Panel, draw_curves

BLUE = (0, 114, 178)


def ink(sheet: Image.Image) -> Image.Image:
    return sheet.convert("L").point(lambda value: 255 if value < 250 else 0)


def blue_pixels(sheet: Image.Image) -> set[tuple[int, int]]:
    width = sheet.width
    pixels = list(sheet.convert("RGB").getdata())
    return {(place % width, place // width) for place, colour in enumerate(pixels) if colour == BLUE}


def one(*points: tuple[float, float], name: str = "loss", ringed: float | None = None) -> Image.Image:
    return draw_curves("a model", [Panel("loss", [Curve(name, points, is_main=True, ringed=ringed)])])


def test_a_falling_curve_falls() -> None:
    pixels = [(x, y) for x, y in blue_pixels(one(*((epoch, 10.0 - epoch) for epoch in range(1, 9)))) if x < 460]
    left = [y for x, y in pixels if x < 120]
    right = [y for x, y in pixels if x > 430]
    assert left
    assert right
    assert max(left) < min(right)


def test_one_epoch_is_a_point() -> None:
    pixels = [(x, y) for x, y in blue_pixels(one((1, 2.0))) if x < 460]
    assert 10 < len(pixels) < 120
    assert max(x for x, _ in pixels) - min(x for x, _ in pixels) < 12


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-12, 1e9, 5.0])
def test_a_curve_that_does_not_move_is_drawn(value: float) -> None:
    assert len(blue_pixels(one(*((epoch, value) for epoch in range(1, 6))))) > 300


def test_without_points_it_says_so() -> None:
    panels = [Panel("validation", [Curve("R1", [])], if_empty="no epoch was validated")]
    empty, other = draw_curves("m", panels), draw_curves("m", [Panel("validation", [], if_empty="nothing")])
    assert empty.size == other.size
    assert ink(empty).getbbox() is not None
    assert empty.tobytes() != other.tobytes()


@pytest.mark.parametrize("count", [1, 7, 15, 16, 40])
def test_names_of_many_curves_keep_their_place(count: int) -> None:
    """No name over the title of a panel, below it, or beyond the picture."""
    curves = [Curve(f"objective_with_a_long_name_{number}", [(1, 1.0), (2, 1.0)]) for number in range(count)]
    sheet = draw_curves("m", [Panel("loss", curves)])
    names = ink(sheet).crop((478, 0, sheet.width, sheet.height))
    _, top, right, bottom = names.getbbox() or (0, 0, 0, 0)
    assert top > 62 + 25
    assert bottom < 62 + 330
    assert right < sheet.width - 478 - 10


def test_the_best_epoch_has_a_ring_also_among_many() -> None:
    points = [(float(epoch), 50.0 + math.sin(epoch)) for epoch in range(1, 1500)]
    plain, ringed = one(*points), one(*points, ringed=701.0)
    different = [
        place % plain.width
        for place, (a, b) in enumerate(zip(plain.getdata(), ringed.getdata(), strict=True))
        if a != b
    ]
    assert different
    assert max(different) - min(different) < 20


def test_panels_stand_two_side_by_side_over_the_same_epochs() -> None:
    loss, late = (
        Panel("loss", [Curve("loss", [(1, 1.0), (10, 0.5)])]),
        Panel("R1", [Curve("R1", [(9, 1.0), (10, 2.0)])]),
    )
    sizes = [draw_curves("m", [loss] * count).size for count in (1, 2, 3, 4)]
    assert sizes[0][0] < sizes[1][0] == sizes[2][0] == sizes[3][0]
    assert sizes[0][1] == sizes[1][1] < sizes[2][1] == sizes[3][1]
    pixels = [x for x, _ in blue_pixels(draw_curves("m", [loss, late])) if 700 < x < 1090]
    assert min(pixels) > 1000  # epoch 9 of 10 is near the right end
