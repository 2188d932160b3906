"""Where boxes stand on their floors, so that arrows cross little and are short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import fmean

Arrow = tuple[str, str]
SWEEPS = 30


@dataclass
class Layout:
    """Boxes by floor from left to right, the middle of each, and the way of each arrow.

    An arrow that passes a floor has a place of its own there, a `passage`, named after the arrow and the floor.
    """

    floors: list[list[str]]
    widths: dict[str, float]
    ways: dict[Arrow, list[str]]  # the names of the boxes and passages from the importer to what it imports
    middles: dict[str, float] = field(default_factory=dict)


def lay_out(floors: list[list[str]], widths: dict[str, float], arrows: set[Arrow], width: float, gap: float) -> Layout:
    """Order the boxes of every floor and find their middles.

    Args:
        floors: names of the boxes, the highest floor first.
        widths: how wide each box is.
        arrows: which box an arrow leads from and to; downwards, or along one floor.
        width: of the drawing.
        gap: the least distance between two boxes.
    """
    layout = _with_passages(floors, widths, arrows)
    _order(layout)
    _place(layout, width, gap)
    return layout


def _with_passages(floors: list[list[str]], widths: dict[str, float], arrows: set[Arrow]) -> Layout:
    height = {name: floor for floor, names in enumerate(floors) for name in names}
    layout = Layout([list(names) for names in floors], dict(widths), {})
    for start, end in sorted(arrows):
        passages = [f"{start} {end} {floor}" for floor in range(height[start] + 1, height[end])]
        for floor, passage in zip(range(height[start] + 1, height[end]), passages, strict=True):
            layout.floors[floor].append(passage)
            layout.widths[passage] = 2.0
        layout.ways[start, end] = [start, *passages, end]
    return layout


def _order(layout: Layout) -> None:
    """Sweep down and up; each sweep puts a floor in the order of what its boxes are joined to; keep the best."""
    best, fewest = [list(names) for names in layout.floors], _badness(layout)
    for sweep in range(SWEEPS):
        numbers = range(len(layout.floors))
        for floor in numbers if sweep % 2 == 0 else reversed(numbers):
            place = {name: i for names in layout.floors for i, name in enumerate(names)}
            wishes = {name: _wish(layout, name, place, above=sweep % 2 == 0) for name in layout.floors[floor]}
            layout.floors[floor].sort(key=wishes.__getitem__)
            _swap_neighbours(layout, floor)
        if (badness := _badness(layout)) < fewest:
            best, fewest = [list(names) for names in layout.floors], badness
    layout.floors = best


def _swap_neighbours(layout: Layout, floor: int) -> None:
    names = layout.floors[floor]
    for i in range(len(names) - 1):
        before = _badness(layout)
        names[i], names[i + 1] = names[i + 1], names[i]
        if _badness(layout) >= before:
            names[i], names[i + 1] = names[i + 1], names[i]


def _wish(layout: Layout, name: str, place: dict[str, int], above: bool) -> float:
    """The mean place of what a box is joined to on the floor above or below; its own where it is joined to nothing."""
    joined = [place[a if above else b] for a, b in _joints(layout) if name == (b if above else a)]
    return fmean(joined) if joined else place[name]


def _joints(layout: Layout) -> list[Arrow]:
    """The pairs of boxes and passages that a piece of an arrow joins."""
    return [joint for way in layout.ways.values() for joint in pairwise(way)]


def _badness(layout: Layout) -> float:
    """How many pieces of arrows cross, and how far arrows along one floor lead."""
    place = {name: (floor, i) for floor, names in enumerate(layout.floors) for i, name in enumerate(names)}
    pieces: dict[int, list[tuple[int, int]]] = {}
    along = 0.0
    for start, end in _joints(layout):
        (upper, a), (lower, b) = place[start], place[end]
        if upper == lower:
            along += 2 * (abs(a - b) - 1)
        else:
            pieces.setdefault(upper, []).append((a, b))
    crossings = sum((a - c) * (b - d) < 0 for floor in pieces.values() for (a, b), (c, d) in combinations(floor, 2))
    return crossings + along


def _place(layout: Layout, width: float, gap: float) -> None:
    """Move every box towards the middle of what it is joined to, as far as its neighbours let it."""
    for names in layout.floors:
        layout.middles.update(_side_by_side(names, lambda name: width / 2, layout, width, gap))
    joined: dict[str, list[str]] = {}
    for start, end in _joints(layout):
        joined.setdefault(start, []).append(end)
        joined.setdefault(end, []).append(start)

    def wish(name: str) -> float:
        others = joined.get(name)
        return fmean(layout.middles[other] for other in others) if others else layout.middles[name]

    for sweep in range(SWEEPS):
        for names in layout.floors if sweep % 2 == 0 else reversed(layout.floors):
            layout.middles.update(_side_by_side(names, wish, layout, width, gap))


def _side_by_side(
    names: list[str], wish: Callable[[str], float], layout: Layout, width: float, gap: float
) -> dict[str, float]:
    """The middles nearest to those wished for at which no two boxes of a floor touch and none leaves the drawing.

    Boxes that would touch form a block, which stands where its boxes would stand on average.
    """
    offsets: dict[str, float] = {}  # of each middle from the first one's, where all boxes touch
    offsets[names[0]] = 0.0
    for before, name in pairwise(names):
        offsets[name] = offsets[before] + (layout.widths[before] + layout.widths[name]) / 2 + gap
    blocks: list[list[str]] = []
    starts: list[float] = []
    for name in names:
        blocks.append([name])
        starts.append(wish(name) - offsets[name])
        while len(blocks) > 1 and starts[-2] > starts[-1]:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
            starts[-2:] = [fmean(wish(each) - offsets[each] for each in blocks[-1])]
    left = layout.widths[names[0]] / 2
    right = width - layout.widths[names[-1]] / 2 - offsets[names[-1]]
    return {
        name: round(min(max(start, left), right) + offsets[name], 1)
        for block, start in zip(blocks, starts, strict=True)
        for name in block
    }
