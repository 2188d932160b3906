"""The path of a picture as an annotation writes it, whichever system wrote it."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from urllib.parse import unquote, urlsplit

from tipr_zoo.datasets.reading.captions import check_characters
from tipr_zoo.datasets.reading.words import is_empty_word, stripped
from tipr_zoo.errors import UnusableAnnotationError

_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]+:/|data:)")
_FILE = re.compile(r"file:/*(?=/|[A-Za-z]:/)|file://localhost(?=/)", re.IGNORECASE)
_HOME = re.compile(r"(?:~|\$HOME|\$\{HOME\}|%USERPROFILE%)/")
_VARIABLE = re.compile(r"(?:~[\w.-]*|\$\w+|\$\{\w+\}|%\w+%)/")
_DRIVE = re.compile(r"[A-Za-z]:/")


def read_picture_path(text: str, name: str, may_be_absolute: bool = False) -> str:
    """Read the path of a picture, and check that it stays inside of the picture folder.

    Backslashes are slashes; ``./``, doubled slashes and blanks around the path say nothing.

    Args:
        text: The path as written.
        name: The key or column that holds it, for messages.
        may_be_absolute: Whether it may begin with ``/`` or with a drive of Windows.

    Returns:
        The path with forward slashes.

    Raises:
        UnusableAnnotationError: It is blank, is a word for an empty cell, leads out of the picture folder, is an
            address in the web, begins with what a shell replaces, or has half a character.
    """
    path = stripped(text.replace("\\", "/") if "\\" in text else text)
    if may_be_absolute:
        path = _of_this_machine(path)
    if not path:
        raise UnusableAnnotationError(
            "wrong path", f"its {name!r} is empty; write the picture's path below the picture folder"
        )
    if is_empty_word(path):
        raise UnusableAnnotationError(
            "wrong path",
            f"its {name!r} is {path!r}, which is written for an empty cell; write the picture's path",
        )
    if _VARIABLE.match(path):
        raise UnusableAnnotationError(
            "wrong path",
            f"its {name!r} {_shortened(text)!r} begins with what a shell replaces; write the path that it stands for",
        )
    if is_address(path):
        raise UnusableAnnotationError(
            "wrong path",
            f"its {name!r} {_shortened(text)!r} is an address and no file; download the pictures, and write the path of"
            " each below the picture folder",
        )
    leads_out = is_absolute(path) and not may_be_absolute
    if leads_out or ".." in path.split("/") or "\0" in path:
        raise UnusableAnnotationError(
            "wrong path", f"its {name!r} {text!r} leads out of the picture folder; write a path inside it"
        )
    check_characters(path, f"its {name!r}")
    return posixpath.normpath(path) if "//" in path or "./" in path or path[-1:] in "./" else path


def is_address(path: str) -> bool:
    """Return whether a path is an address in the web or of a store, or holds the picture itself.

    >>> is_address("https://example.org/a.jpg"), is_address("C:/a.jpg")
    (True, False)
    """
    return ":" in path and _ADDRESS.match(path) is not None


def file_name_in(address: str) -> str:
    """Return the file name that an address ends in.

    >>> file_name_in("https://example.org/cam%20a/a%20b.jpg?size=2#top")
    'a b.jpg'
    """
    parts = urlsplit(address)
    return "" if parts.scheme == "data" else posixpath.basename(unquote(parts.path))


def is_absolute(path: str) -> bool:
    """Return whether a path begins at the root of a machine, or at a drive of Windows.

    >>> is_absolute("C:/data/a.jpg"), is_absolute("cam_a/a.jpg")
    (True, False)
    """
    return path.startswith("/") or (path[1:2] == ":" and _DRIVE.match(path) is not None)


def folded(name: str) -> str:
    """Return what two spellings of a file name have in common: neither the case of letters nor Unicode's form."""
    return unicodedata.normalize("NFC", name).casefold()


def composed(name: str) -> str:
    """Return a file name with each letter and its marks as one character, where there is one."""
    return unicodedata.normalize("NFC", name)


def _of_this_machine(path: str) -> str:
    """Return a path with the home folder for ``~`` and ``$HOME``, and without ``file://`` before it."""
    if _FILE.match(path):
        return unquote(_FILE.sub("", path))
    return _HOME.sub(lambda _: posixpath.expanduser("~") + "/", path)


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
