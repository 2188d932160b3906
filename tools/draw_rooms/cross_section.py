"""The house in cross-section: rooms on their floors, and the arrows that hold the order of the floors."""

from __future__ import annotations

import textwrap

from tools.draw_rooms.house import House, Room, bearing_arrows
from tools.draw_rooms.layout import Layout, lay_out
from tools.draw_rooms.svg import element, picture, rectangle, text

WIDTH = 760.0
LEFT, RIGHT = 44.0, 14.0  # left of the boxes stand the numbers of the floors
TOP = 62.0
BETWEEN = 24.0  # from floor to floor, where arrows turn
INSIDE = 9.0  # from the edge of a box to its text
LINE = 13.5
GAP = 12.0
LETTER, NAME_LETTER = 6.1, 8.4  # how wide a letter is, about; fonts differ
NARROW, WIDE = 16, 44  # letters a line in a box


def draw_cross_section(house: House) -> str:
    """The drawing as the text of an SVG file."""
    storeys = house.floors[: len(house.floors) - len(_ground_floors(house))]
    boxes = {room.name: _Box(room, _letters(len(floor))) for floor in storeys for room in floor}
    arrows = bearing_arrows(house)
    layout = lay_out(
        [[room.name for room in floor] for floor in storeys],
        {name: box.width for name, box in boxes.items()},
        arrows,
        WIDTH - LEFT - RIGHT,
        GAP,
    )
    number = len(house.floors)
    bands, upper, lower = [], {}, {}
    y = TOP
    for floor in layout.floors:
        height = max(boxes[name].height for name in floor if name in boxes)
        bands.append(rectangle(8, y - BETWEEN / 4, WIDTH - 16, height + BETWEEN / 2, "band", rx=6))
        bands.append(text(32, y + height / 2 + 4, str(number), "number"))
        for name in floor:
            own = boxes[name].height if name in boxes else height
            upper[name], lower[name] = y + (height - own) / 2, y + (height + own) / 2
        y += height + BETWEEN
        number -= 1
    drawn = [piece for name, box in boxes.items() for piece in box.drawn(LEFT + layout.middles[name], upper[name])]
    ways = [_way(layout, arrow, upper, lower, boxes) for arrow in sorted(arrows)]
    ground, y = _ground(house, y)
    pieces = [*_legend(house), *bands, *ways, *drawn, *ground]
    return picture(WIDTH, y, "The rooms of tipr-zoo, floor by floor; imports lead downwards", pieces)


class _Box:
    """A room as a box: its name, how many modules it has, and what it says in lines."""

    def __init__(self, room: Room, letters: int) -> None:
        self.room = room
        self.name = room.name if room.is_package else f"{room.name}.py"
        self.lines = _even_lines(room.says, letters)
        longest = max(len(line) for line in self.lines) * LETTER
        self.count = str(room.modules) if room.is_package else ""
        self.width = (
            max(longest, len(self.name) * NAME_LETTER + (NAME_LETTER + len(self.count) * LETTER if self.count else 0))
            + 2 * INSIDE
        )
        self.height = 22 + LINE * len(self.lines) + 5

    def drawn(self, middle: float, y: float) -> list[str]:
        left, right = middle - self.width / 2, middle + self.width / 2
        look = "box promised" if self.room.is_promised else "box"
        return [
            rectangle(left, y, self.width, self.height, look, rx=5),
            text(left + INSIDE, y + 17, self.name, "name"),
            *([text(right - INSIDE, y + 17, self.count, "number")] if self.count else []),
            *(text(left + INSIDE, y + 17 + LINE * (i + 1), line, "says") for i, line in enumerate(self.lines)),
        ]


def _even_lines(words: str, letters: int) -> list[str]:
    """As few lines as can be, and then as even as can be."""
    fewest = len(textwrap.wrap(words, letters, break_on_hyphens=False))
    for width in range(1, letters + 1):
        lines = textwrap.wrap(words, width, break_on_hyphens=False, break_long_words=False)
        if len(lines) == fewest and max(map(len, lines)) <= width:
            return lines
    return textwrap.wrap(words, letters)


def _letters(rooms: int) -> int:
    """How many letters a line of a box has on a floor with so many rooms."""
    return max(NARROW, min(WIDE, round((WIDTH - LEFT - RIGHT) / rooms / LETTER) - 5))


def _ground_floors(house: House) -> list[list[Room]]:
    return [floor for floor in house.floors if floor[0].name in house.ground]


def _way(
    layout: Layout,
    arrow: tuple[str, str],
    upper: dict[str, float],
    lower: dict[str, float],
    boxes: dict[str, _Box],
) -> str:
    """An arrow as a curve that is upright wherever it passes a floor."""
    start, end = arrow
    if upper[start] <= lower[end] and upper[end] <= lower[start]:  # along one floor
        return _along(layout, arrow, upper, lower, boxes)
    x = LEFT + _door(layout, arrow, start, boxes)
    path = [f"M{x:.1f} {lower[start]:.1f}"]
    y = lower[start]
    for passage in layout.ways[arrow][1:]:
        below = LEFT + (layout.middles[passage] if passage not in boxes else _door(layout, arrow, passage, boxes))
        target = upper[passage] - (5 if passage == end else 0)
        bend = (target - y) * 0.55
        path.append(f"C{x:.1f} {y + bend:.1f} {below:.1f} {target - bend:.1f} {below:.1f} {target:.1f}")
        x, y = below, target
        if passage != end:
            path.append(f"V{lower[passage]:.1f}")
            y = lower[passage]
    return element("path", d=" ".join(path), class_="arrow") + _head(x, y + 5, 0)


def _along(
    layout: Layout,
    arrow: tuple[str, str],
    upper: dict[str, float],
    lower: dict[str, float],
    boxes: dict[str, _Box],
) -> str:
    """An arrow from one room to its neighbour on the same floor, or below those between them."""
    start, end = arrow
    a, b = LEFT + layout.middles[start], LEFT + layout.middles[end]
    side = 1 if b > a else -1
    y = max(lower[start], lower[end])
    first, last = a + side * boxes[start].width * 0.3, b - side * boxes[end].width * 0.3
    deep = y + BETWEEN * 0.62
    curve = (
        f"M{first:.1f} {lower[start]:.1f} C{first:.1f} {deep:.1f} {last:.1f} {deep:.1f} {last:.1f} {lower[end] + 5:.1f}"
    )
    return element("path", d=curve, class_="arrow") + _head(last, lower[end], 180)


def _door(layout: Layout, arrow: tuple[str, str], name: str, boxes: dict[str, _Box]) -> float:
    """Where an arrow leaves or enters a box: the arrows of one side stand in the order in which they lead away."""
    is_start = name == arrow[0]

    def beyond(way: list[str]) -> float:
        return layout.middles[way[1 if is_start else -2]]

    side = sorted((way for each, way in layout.ways.items() if each[0 if is_start else 1] == name), key=beyond)
    side = [way for way in side if len(way) > 2 or not _same_floor(layout, way)]
    place = side.index(layout.ways[arrow])
    span = min(boxes[name].width * 0.7, 26.0 * (len(side) - 1))
    offset = 0.0 if len(side) == 1 else span * (place / (len(side) - 1) - 0.5)
    wish = beyond(layout.ways[arrow]) if len(side) == 1 else layout.middles[name] + offset
    reach = boxes[name].width / 2 - 14
    return min(max(wish, layout.middles[name] - reach), layout.middles[name] + reach)


def _same_floor(layout: Layout, way: list[str]) -> bool:
    return any(way[0] in floor and way[-1] in floor for floor in layout.floors)


def _head(x: float, y: float, turn: float) -> str:
    place = f"translate({x:.1f} {y:.1f})" + (f" rotate({turn:g})" if turn else "")
    return element("path", d="M0 0L-4 -7L4 -7Z", transform=place, class_="head")


def _legend(house: House) -> list[str]:
    modules = sum(room.modules for room in house.rooms.values())
    heading = f"{len(house.rooms)} rooms, {modules} modules. Imports lead downwards."
    return [
        text(14, 26, heading, "name"),
        text(14, 44, "An arrow that follows from others is left out. A number is how many modules.", "says"),
        rectangle(WIDTH - 225.5, 14.5, 13, 13, "box promised", rx=3),
        text(WIDTH - 206, 25, "has names that a plugin may use", "says"),
        rectangle(WIDTH - 225.5, 33.5, 13, 13, "box", rx=3),
        text(WIDTH - 206, 44, "the house's own", "says"),
    ]


def _ground(house: House, y: float) -> tuple[list[str], float]:
    """The lowest floors, whose rooms every room may use, so that no arrow is drawn to them."""
    pieces = []
    for floor, number in zip(_ground_floors(house), range(len(_ground_floors(house)), 0, -1), strict=True):
        rows: list[list[tuple[Room, str, float, float]]] = [[]]
        x = LEFT
        for room in floor:
            name = room.name if room.is_package else f"{room.name}.py"
            width = len(name) * 7.6 + 2 * INSIDE
            if x + width > WIDTH - RIGHT:
                rows.append([])
                x = LEFT
            rows[-1].append((room, name, x, width))
            x += width + 8
        height = len(rows) * 32.0 - 8
        pieces.append(rectangle(8, y - BETWEEN / 4, WIDTH - 16, height + BETWEEN / 2, "band", rx=6))
        pieces.append(text(32, y + height / 2 + 4, str(number), "number"))
        for i, each in enumerate(rows):
            for room, name, left, width in each:
                look = "box promised" if room.is_promised else "box"
                pieces.append(rectangle(left, y + i * 32, width, 24, look, rx=5))
                pieces.append(text(left + INSIDE, y + i * 32 + 16.5, name, "name", style="font-size:12px"))
        y += height + BETWEEN - 4
    pieces.append(text(LEFT, y + 6, "The ground: every room may stand on it, so no arrow is drawn to it.", "says"))
    return pieces, y + 20
