"""A contact sheet: rows of pictures of a data set with the first words of a caption under each."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from tipr_zoo.errors import DataError

ZOOM = 2  # times the size of a picture
WIDTH, HEIGHT = 64 * ZOOM, 192 * ZOOM
GAP, CAPTION = 12, 60  # pixels


def contact_sheet(directory: str | Path, path: str | Path, count: int = 40, columns: int = 10) -> Path:
    """Draws pictures of a data set in CUHK-PEDES's layout, spread evenly over it, into one picture.

    Args:
        directory: The folder with `imgs/` and `reid_raw.json`.
        path: The file to write; its ending says which format.
        count: How many pictures.
        columns: How many pictures in a row.

    Returns:
        The path.

    Raises:
        DataError: If the folder holds no annotation.
    """
    directory, path = Path(directory), Path(path)
    annotation = directory / "reid_raw.json"
    if not annotation.is_file():
        raise DataError(f"{directory} has no reid_raw.json; draw a data set with `tipr-zoo data synth {directory}`")
    records = spread(json.loads(annotation.read_bytes()), count)
    rows = -(-len(records) // columns)
    sheet = Image.new("RGB", (GAP + columns * (WIDTH + GAP), GAP + rows * (HEIGHT + CAPTION + GAP)), (252, 252, 250))
    for place, record in enumerate(records):
        row, column = divmod(place, columns)
        add_picture(sheet, directory, record, GAP + column * (WIDTH + GAP), GAP + row * (HEIGHT + CAPTION + GAP))
    sheet.save(path)
    return path


def spread(records: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """`count` records spread evenly over all of them, in their order."""
    count = min(count, len(records))
    # Not a multiple of the pictures of one identity, so that the viewpoints change too.
    return [records[(place * len(records) // count + place % 4) % len(records)] for place in range(count)]


def add_picture(sheet: Image.Image, directory: Path, record: dict[str, Any], x: int, y: int) -> None:
    """One picture with the beginning of its first caption."""
    with Image.open(directory / "imgs" / record["file_path"]) as picture:
        sheet.paste(picture.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), (x, y))
    lines = textwrap.wrap(record["captions"][0], 21)
    shown = lines[:4]
    if len(lines) > 4:
        shown[3] = textwrap.shorten(shown[3] + " ...", 21, placeholder=" ...")
    font = ImageFont.load_default(size=11)
    ImageDraw.Draw(sheet).multiline_text((x, y + HEIGHT + 4), "\n".join(shown), (60, 60, 64), font, spacing=3)
