"""Drawn pictures in files."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from tipr_zoo.machine.whole_file import write_whole


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture in the format that the file's suffix names, whole or not at all.

    Args:
        picture: What was drawn.
        path: A file that `tipr_zoo.machine.result_place.check_picture_file` has approved.

    Raises:
        WriteError: It cannot be written; what was there is as it was.
    """
    # In memory first: where the disk is full, Pillow takes a JPEG for written that lacks its end.
    content = io.BytesIO()
    picture.save(content, Image.registered_extensions()[path.suffix.lower()])
    write_whole(path, content.getvalue())
