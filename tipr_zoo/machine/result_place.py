"""The place of a drawn picture or another result: checked before the work, not after it."""

from __future__ import annotations

import os
from pathlib import Path

from tipr_zoo.errors import ConfigError, WriteError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def check_picture_file(path: Path) -> None:
    """Check that a picture can be written to `path`.

    Raises:
        ConfigError: The suffix names no picture format, `path` is a folder, its folder does not exist, or one of them
            cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: a picture's file name ends in {', '.join(SUFFIXES)}")
    check_place(path)


def check_place(path: Path) -> None:
    """Check that the folder of a file exists, and that the file can be written.

    Raises:
        ConfigError: `path` is a folder, its folder does not exist, or one of them cannot be written.
    """
    check_name(path)
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: the folder {path.parent} does not exist; make it first")
    target = Path(os.path.realpath(path))
    if target.exists() and not os.access(target, os.W_OK):
        raise ConfigError(f"{path}: is write-protected; name another file, or allow writing")
    if not target.exists() or target.is_file():  # not a device, which is written as it is
        _check_writable(target.parent, path)


def check_folder(folder: Path) -> None:
    """Check that files can be written into a folder.

    A folder that does not exist is made later, not here.

    Raises:
        ConfigError: `folder` is a file or lies below one, or it cannot be made or written.
    """
    check_name(folder)
    there = Path(os.path.realpath(folder))
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise ConfigError(f"{folder}: {there} is a file; name a folder")
    _check_writable(there, folder)


def make_folder(folder: Path) -> None:
    """Make a folder, and the folders above it, if they do not exist.

    Raises:
        WriteError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(error.errno, error.strerror, str(folder)) from error


def check_name(path: Path) -> None:
    """Check that a name is one that a file system takes; Python itself raises a ValueError where it is not.

    Raises:
        ConfigError: It has a NUL character.
    """
    if "\0" in str(path):
        raise ConfigError(f"{str(path)!r} has a NUL character in its name; name another place")


def _check_writable(folder: Path, path: Path) -> None:
    """Raise a ConfigError if nothing can be written into a folder that exists."""
    if not os.access(folder, os.W_OK):
        raise ConfigError(
            f"{path}: nothing can be written in the folder {folder}; name another place, or allow writing"
        )


def check_output(picture: Path | None, as_json: bool) -> None:
    """Check that a command has a place for its result: a picture that can be written, or JSON.

    Raises:
        ConfigError: There is neither, or `picture` cannot be written.
    """
    if picture is not None:
        check_picture_file(picture)
    elif not as_json:
        raise ConfigError("name the file to draw into with -o FILE, or ask for --json")
