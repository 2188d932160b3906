"""Write the drawings, or say which of them no longer show the code."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.draw_rooms.cross_section import draw_cross_section
from tools.draw_rooms.house import House, read_house
from tools.draw_rooms.matrix import draw_matrix

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Draw; with ``--check``, compare and give 1 if a drawing is old."""
    parser = argparse.ArgumentParser(prog="python -m tools.draw_rooms", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a drawing is old")
    if parser.parse_args().check:
        old = old_drawings(ROOT)
        for place in old:
            print(f"{place} does not show the imports as they are; renew it with: make rooms", file=sys.stderr)
        return 1 if old else 0
    for place, drawing in drawings(read_house(ROOT)).items():
        (ROOT / place).write_text(drawing, encoding="utf-8", newline="\n")
    return 0


def drawings(house: House) -> dict[str, str]:
    """The text of each drawing by its place in the checkout."""
    return {"docs/rooms.svg": draw_cross_section(house), "docs/imports.svg": draw_matrix(house)}


def old_drawings(root: Path) -> list[str]:
    """The places of the drawings that are missing or do not show the imports as they are."""
    return [
        place
        for place, drawing in drawings(read_house(root)).items()
        if not (root / place).is_file() or (root / place).read_text(encoding="utf-8") != drawing
    ]


if __name__ == "__main__":
    sys.exit(main())
