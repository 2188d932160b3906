"""Paths as other people may see them: a table that is published says nothing of the folders of a machine."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from tipr_zoo.terminal.suggested_command import suggested_command

_FOLDERS = re.compile(
    r"""(?<![\w.:/\\~-])                            # not inside of an address, or of a path that leads down
        (?: (?:file:/*|~[\w.-]*)?/ | [A-Za-z]:[\\/] | \\\\ )   # where a path begins that leads from the root
        (?: [^\s/\\'"`,;:()<>|]+ [\\/] )+""",
    re.VERBOSE,
)
"""The folders before the last name of a path in a text."""


def published_path(path: str | os.PathLike[str]) -> str:
    """Return a path as it was named where it leads down from the current folder, else the name alone.

    >>> published_path("runs/best.pt"), published_path("/home/me/best.pt")
    ('runs/best.pt', 'best.pt')

    Args:
        path: The path.
    """
    place = PurePath(path)
    text = os.fspath(path)
    if place.is_absolute() and place.is_relative_to(Path.cwd()):
        place = place.relative_to(Path.cwd())
    if place.is_absolute() or ".." in place.parts or text.startswith("~"):
        return place.name or text
    windows = PureWindowsPath(text)
    return windows.name if windows.is_absolute() else str(place)


def told_apart(paths: Iterable[Path]) -> dict[Path, str]:
    """Return a text for each path: its `published_path`, with as many folders before it as tell it from the others."""
    whole = {path: path.absolute() for path in paths}
    texts = {path: published_path(path) for path in whole}

    def is_shared(path: Path) -> bool:
        return any(texts[other] == texts[path] and whole[other] != whole[path] for other in whole)

    for count in range(2, max((len(path.parts) for path in whole.values()), default=0)):
        shared = [path for path in whole if is_shared(path)]
        texts |= {path: str(PurePath(*whole[path].parts[-count:])) for path in shared}
    return texts


def published_text(text: str, paths: Iterable[Path] = ()) -> str:
    """Return a message in which no path says where on this machine a file lies.

    >>> published_text("/home/me/best.pt: cannot be read; see https://example.org/help/me")
    'best.pt: cannot be read; see https://example.org/help/me'

    Args:
        text: The message.
        paths: Paths that it may name, with whatever blanks are in them.
    """
    known: Mapping[str, str] = {str(path.absolute()): published_path(path) for path in paths}
    for path in sorted({*known, *map(str, filter(Path.is_absolute, paths))}, key=len, reverse=True):
        text = text.replace(path, known.get(path, published_path(path)))
    for folder in (str(Path.cwd()), os.path.expanduser("~")):
        text = text.replace(f"{folder}{os.sep}", "") if len(folder) > 1 else text
    return _FOLDERS.sub("", text)


def without_folders(command: str) -> str:
    """Return a command line in which no path says where on this machine a file lies.

    >>> without_folders("tipr-zoo eval m --weights /home/me/best.pt")
    'tipr-zoo eval m --weights best.pt'

    Args:
        command: A command line. Where no shell could read it, it is taken as words between blanks.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    shown = [_without_folder(word) for word in words]
    return command if shown == words else suggested_command(*shown)


def _without_folder(word: str) -> str:
    name, equals, value = word.partition("=")
    if equals and "/" not in name and "\\" not in name:
        return f"{name}={_without_folder(value)}"
    if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"":  # a text among the entries of a recipe
        return f"{word[0]}{_without_folder(word[1:-1])}{word[0]}"
    if word.startswith("~") or PurePosixPath(word).is_absolute() or word.startswith("../"):
        return PurePosixPath(word).name or word
    return PureWindowsPath(word).name if PureWindowsPath(word).is_absolute() else word
