"""Saving drawn pictures."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from tipr_zoo.machine.whole_file import write_whole


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture in the format of the file's suffix. The file is written whole or not at all.

    Args:
        picture: The drawn picture.
        path: A file that `tipr_zoo.machine.result_place.check_picture_file` has approved.

    Raises:
        WriteError: The file cannot be written. What was there before is unchanged.
    """
    # In memory first: on a full disk, Pillow reports no error for a JPEG without its end.
    content = io.BytesIO()
    picture.save(content, Image.registered_extensions()[path.suffix.lower()])
    write_whole(path, content.getvalue())
