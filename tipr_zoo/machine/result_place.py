"""Where a drawn picture, or another result, is to be written: checked before the work, not after it."""

from __future__ import annotations

from pathlib import Path

from tipr_zoo.errors import ConfigError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def check_picture_file(path: Path) -> None:
    """Check that a picture can be written to `path`.

    Raises:
        ConfigError: Its suffix names no picture format, it is a folder, or its own folder does not exist.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: a picture's file name ends in {', '.join(SUFFIXES)}")
    check_place(path)


def check_place(path: Path) -> None:
    """Check that there is a folder for a file.

    Raises:
        ConfigError: `path` is a folder itself, or its folder does not exist.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: the folder {path.parent} does not exist; make it first")


def check_output(picture: Path | None, as_json: bool) -> None:
    """Check that a command has somewhere to put its result: a picture that can be written, or JSON.

    Raises:
        ConfigError: It has neither, or `picture` cannot be written to.
    """
    if picture is not None:
        check_picture_file(picture)
    elif not as_json:
        raise ConfigError("name the file to draw into with -o FILE, or ask for --json")
