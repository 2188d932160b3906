"""Picture files: the search for them in a folder, and one of them as 8-bit RGB."""

from __future__ import annotations

import errno
import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from tipr_zoo.errors import DataError
from tipr_zoo.outside.files import PICTURE_LIMIT, RefusedFileError, read_bytes, read_head
from tipr_zoo.pictures.decoding import decode_picture, to_rgb
from tipr_zoo.pictures.formats import (
    FORMATS,
    HEAD,
    NO_PICTURE_SUFFIXES,
    OTHER_SUFFIXES,
    format_of,
    is_surely,
    missing_for,
    readable_suffixes,
)

__all__ = ["FoundPictures", "find_pictures", "list_pictures", "open_picture", "to_rgb"]

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
"""The usual endings of picture files, in lower case; `tipr_zoo.pictures.formats` has all."""

_MOST_NAMES = 20
"""Names of pictures in one message."""

_START = 80
"""Letters of a path in a message that says that the path is too long."""


def open_picture(path: str | os.PathLike[str]) -> Image.Image:
    """Read one picture as 8-bit RGB, upright.

    Grey, palette and CMYK pictures are converted. Transparent ones are laid over white. 16-bit grey is scaled to 8 bits
    (65,535 becomes 255). The orientation that a camera wrote is applied. Of an animation, the first frame is read.

    Args:
        path: The file.

    Returns:
        The decoded picture in mode ``RGB``. The file is closed.

    Raises:
        DataError: The file is missing, empty, not a picture, truncated or damaged, or far too large. Or its pixels are
            of a type without a stated range (32-bit). A truncated picture is never filled up with grey.
    """
    path = Path(path)
    try:
        content = read_bytes(path, PICTURE_LIMIT)
    except FileNotFoundError:
        if path.is_symlink():
            raise DataError(f"{path} is a link to {os.readlink(path)}, where nothing is; mend or remove it") from None
        raise DataError(f"no picture at {path}; check the path, or copy the picture there") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not a picture; name a file in it") from None
    except RefusedFileError as error:
        raise DataError(f"{path} is not a picture ({error}); replace it by one, or remove the file") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DataError(f"{path} is a link that leads in a circle; mend or remove it") from error
        raise DataError(f"cannot read {path}: {error.strerror or error}; check its permissions and the disk") from error
    return decode_picture(content, path)


@dataclass(frozen=True)
class FoundPictures:
    """What a search for pictures finds.

    Attributes:
        readable: The files that are to be read, sorted as text. Whether each is whole is not known yet.
        left_out: Pictures in formats that cannot be decoded here, sorted as text.
        unread_folders: Why folders below it cannot be read, by path.
        disks: Folders below it that lie on another disk than the folder above them.
    """

    readable: list[Path]
    left_out: list[Path]
    unread_folders: dict[Path, str] = field(default_factory=dict)
    disks: list[Path] = field(default_factory=list)

    def told(self) -> str:
        """Say in one line which pictures and folders are left out, and why. Empty where none is."""
        return "; ".join([*filter(None, [self._told_formats()]), *self.unread_folders.values()])

    def _told_formats(self) -> str:
        if not self.left_out:
            return ""
        counts = Counter(_ending(path) for path in self.left_out)
        reasons = ", ".join(f"{count} {ending} ({_fix(ending)})" for ending, count in sorted(counts.items()))
        names = ", ".join(map(str, self.left_out[:_MOST_NAMES]))
        more = f" and {len(self.left_out) - _MOST_NAMES} more" if len(self.left_out) > _MOST_NAMES else ""
        number = "1 picture is" if len(self.left_out) == 1 else f"{len(self.left_out)} pictures are"
        return f"{number} left out, in formats that cannot be decoded here: {reasons}; {names}{more}"


def _ending(path: Path) -> str:
    return path.suffix.lower() or "without an ending"


def _fix(ending: str) -> str:
    kind = next((kind for kind in FORMATS if ending in kind.suffixes), None)
    return (missing_for(kind) if kind else None) or "save as JPEG or PNG"


def list_pictures(folder: str | os.PathLike[str]) -> list[Path]:
    """List every picture in a folder and in the folders below it that can be decoded here; see `find_pictures`.

    Args:
        folder: The folder to search.

    Returns:
        Paths that begin with `folder`, sorted as text.

    Raises:
        DataError: The folder is missing, is a file, cannot be read, or holds no picture.
    """
    found = find_pictures(folder)
    for told in found.unread_folders.values():
        raise DataError(told)
    return found.readable


def find_pictures(folder: str | os.PathLike[str]) -> FoundPictures:
    """Find every picture in a folder and in the folders below it.

    A picture is known by the ending of its file name, in any case. Where the ending says nothing, it is known by its
    first bytes. Links to folders are followed, each folder once; one that lies in `folder` keeps its own name there.
    A folder below it that cannot be read is told of, and the others are read.

    Args:
        folder: The folder to search.

    Returns:
        Paths that begin with `folder`.

    Raises:
        DataError: The folder is missing, is a file, cannot be read, or holds no picture that can be decoded here.
    """
    folder = Path(folder)
    try:
        is_there = folder.exists()
    except OSError as error:
        raise _unreadable_folder(str(folder), error) from error
    if not is_there:
        raise DataError(f"no folder at {folder}; check the path")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file, not a folder; name the folder that holds the pictures")
    readable: list[str] = []
    left_out: list[str] = []
    unread: dict[Path, str] = {}
    disks: list[Path] = []
    for parent, files in _folders(folder, unread):
        if parent != str(folder) and is_other_disk(parent):
            disks.append(Path(parent))
        for name in files:
            path = os.path.join(parent, name)
            if (can_be_read := _can_be_read(path)) is not None:
                (readable if can_be_read else left_out).append(path)
    if str(folder) in map(str, unread):
        raise DataError(unread[folder])
    paths = [Path(path) for path in sorted(readable)], [Path(path) for path in sorted(left_out)]
    found = FoundPictures(*paths, dict(sorted(unread.items())), sorted(disks))
    if not readable:
        endings = ", ".join(sorted(PICTURE_SUFFIXES))
        told = f" ({found.told()})" if found.told() else ""
        raise DataError(f"no picture in {folder} or the folders below it{told}; put files there that end in {endings}")
    return found


def is_other_disk(folder: str) -> bool:
    """Tell whether a folder lies on another disk than the folder above it. One that is not there does not.

    Args:
        folder: Its path, which is not the root's.
    """
    try:
        return os.stat(folder).st_dev != os.stat(os.path.dirname(folder)).st_dev
    except OSError:
        return False


def _folders(folder: Path, unread: dict[Path, str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the path of a folder and of each one below it, with the names of what is no folder in it.

    Links to folders come last. So a folder is not known by the name of a link to it, in whatever order the file system
    lists them, and a picture keeps its path where a link is added.

    Args:
        folder: The first.
        unread: Told why folders cannot be read.
    """
    visited: set[str] = set()
    starts = deque([str(folder)])
    while starts:
        start = starts.popleft()
        links: list[str] = []
        left = [(start, os.path.realpath(start))]
        while left:  # a stack: folders may be deeper than Python's calls
            parent, place = left.pop()
            if place in visited:
                continue
            visited.add(place)
            try:
                with os.scandir(parent) as found:
                    entries = list(found)
            except OSError as error:
                unread[Path(parent)] = str(_unreadable_folder(parent, error))
                continue
            subfolders = [entry for entry in entries if _is_folder(entry)]
            yield parent, [entry.name for entry in entries if not _is_folder(entry)]
            links += [entry.path for entry in subfolders if entry.is_symlink()]
            left += [(one.path, os.path.join(place, one.name)) for one in subfolders if not one.is_symlink()]
        starts.extend(sorted(links, key=lambda path: (path.count(os.sep), path)))


def _unreadable_folder(folder: str, error: OSError) -> DataError:
    if error.errno == errno.ENAMETOOLONG:
        return DataError(
            f"the path of a folder is too long to be read, with {len(folder):,} letters: {folder[:_START]}...; move it"
            " higher, or remove it"
        )
    return DataError(f"cannot read the folder {folder}: {error.strerror}; check its permissions")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether it is a folder, or a link to one. A link that leads nowhere is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _can_be_read(path: str) -> bool | None:
    """Tell whether a file is a picture that can be decoded here; None where it is no picture."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in readable_suffixes():
        return True
    if suffix in OTHER_SUFFIXES or any(suffix in kind.suffixes for kind in FORMATS):
        return False
    if suffix in NO_PICTURE_SUFFIXES or os.path.basename(path).startswith("."):
        return None
    head = read_head(path, HEAD)
    kind = format_of(head)
    return None if kind is None or not is_surely(head, kind) else missing_for(kind) is None
