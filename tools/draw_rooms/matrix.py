"""Who imports whom, as a table: a row imports its columns, and nothing stands below the diagonal."""

from __future__ import annotations

from itertools import accumulate

from tools.draw_rooms.house import House, Room
from tools.draw_rooms.svg import picture, rectangle, text

WIDTH = 760.0
NAMES = 150.0  # left of the table
TOP = 128.0  # above it stand the names of the columns, aslant
# How full a square is, by the imports that lead there. Few steps, so that most changes leave the drawing as it is.
STEPS = [(10, 0.9, "ten imports or more"), (4, 0.5, "four to nine"), (1, 0.22, "one to three imports")]


def draw_matrix(house: House) -> str:
    """The drawing as the text of an SVG file."""
    rooms = [room for floor in house.floors for room in floor]
    cell = (WIDTH - NAMES - 44) / len(rooms)
    place = {room.name: i for i, room in enumerate(rooms)}
    ends = list(accumulate(len(floor) for floor in house.floors))
    below = TOP + cell * len(rooms)
    pieces = []
    for floor, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        if floor % 2 == 0:
            y, x = TOP + cell * start, NAMES + cell * start
            pieces.append(rectangle(8, y, WIDTH - 16, cell * (end - start), "band"))
            pieces.append(rectangle(x, TOP, cell * (end - start), cell * start, "band"))
    for room, i in place.items():
        pieces += _labels(house.rooms[room], i, cell)
    for (room, target), count in sorted(house.arrows.items()):
        pieces.append(_square(place[target], place[room], cell, count))
    pieces += _legend(house, cell, below)
    return picture(WIDTH, below + 14, "Which room of tipr-zoo imports which, and how often", pieces)


def _labels(room: Room, i: int, cell: float) -> list[str]:
    """The name of a room left of its row and above its column, and its square on the diagonal."""
    name = room.name if room.is_package else f"{room.name}.py"
    x, y = NAMES + cell * i, TOP + cell * i
    aslant = f"rotate(-65 {x + cell * 0.6:.1f} {TOP - 5:.1f})"
    look = "box promised" if room.is_promised else "box"
    return [
        text(NAMES - 8, y + cell / 2 + 3.5, name, "row"),
        text(x + cell * 0.6, TOP - 5, name, "column", transform=aslant),
        rectangle(x + 1.5, y + 1.5, cell - 3, cell - 3, look, rx=3),
    ]


def _square(column: int, row: int, cell: float, count: int) -> str:
    fill = next(fill for least, fill, _ in STEPS if count >= least)
    return rectangle(
        NAMES + cell * column + 1, TOP + cell * row + 1, cell - 2, cell - 2, "heat", rx=3, fill_opacity=f"{fill:.2f}"
    )


def _legend(house: House, cell: float, below: float) -> list[str]:
    """What the squares mean, in the corner that stays empty."""
    x, y = NAMES + cell, below - 138
    pieces = [text(x, y, "A row imports its columns", "name")]
    for i, (_, fill, words) in enumerate(reversed(STEPS)):
        line = y + 22 + 20 * i
        pieces.append(rectangle(x, line - 11, 14, 14, "heat", rx=3, fill_opacity=f"{fill:.2f}"))
        pieces.append(text(x + 22, line, words, "note"))
    pieces.append(text(x, y + 92, f"{len(house.arrows)} pairs of rooms; nothing below the diagonal,", "note"))
    pieces.append(text(x, y + 108, "for no room imports upwards", "note"))
    return pieces
