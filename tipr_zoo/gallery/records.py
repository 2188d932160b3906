"""What a gallery writes down of a picture, and the name that it gives it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.engines.row_checks import damaged_row
from tipr_zoo.gallery.facts import check_facts
from tipr_zoo.protocols.engines import Fact, Row

Box = tuple[int, int, int, int]
"""Left, top, right and bottom of a part of a picture in pixels, once it is upright; right and bottom are outside."""

LONGEST_RECORD = 1 << 16
"""Bytes of what is written down of one picture."""


@dataclass(frozen=True)
class FileState:
    """What tells a changed file without reading it.

    Attributes:
        size: Its bytes.
        modified: When its content was changed, in nanoseconds.
        changed: When its entry in the file system was changed, which no program can set; 0 where the file was so new
            that another change may have had the same time.
    """

    size: int
    modified: int
    changed: int


@dataclass(frozen=True)
class PictureRecord:
    """A picture of a gallery, or the part of one in a box.

    Attributes:
        path: Its absolute path; bytes that are no text as Python keeps them in names.
        box: The part that was embedded; None for the whole picture.
        state: Of its file when it was read; None where embeddings were made elsewhere and the file was not read.
        content: SHA-256 of its file; empty where that is not known.
        shape: Width and height in pixels of what was embedded; None where that is not known.
        facts: What is known of it, by name.
    """

    path: str
    box: Box | None = None
    state: FileState | None = None
    content: str = ""
    shape: tuple[int, int] | None = None
    facts: dict[str, Fact] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The gallery's name for it: 32 hexadecimal digits."""
        return key_of(self.path, self.box)

    def row(self) -> Row:
        """Return it as an engine keeps it.

        Raises:
            GalleryError: Its path is far too long, or a fact is none that can be kept.
        """
        check_facts(self.facts)
        state = self.state and (self.state.size, self.state.modified, self.state.changed)
        values = {"path": self.path, "box": self.box, "state": state, "content": self.content, "shape": self.shape}
        record = json.dumps({name: value for name, value in values.items() if value})
        if len(record) > LONGEST_RECORD:
            raise GalleryError(f"the path {self.path[:60]}... is far too long to be kept; move the picture higher")
        return Row(self.key, record, self.facts)

    def with_facts(self, facts: dict[str, Fact]) -> PictureRecord:
        """Return the same with other facts."""
        return replace(self, facts=facts)


def key_of(path: str, box: Sequence[int] | None = None) -> str:
    """Return the gallery's name for a picture, or for a box in one.

    Args:
        path: Its absolute path.
        box: The box; None for the whole picture.
    """
    name = os.fsencode(path) + (b"\0" + ",".join(map(str, box)).encode() if box else b"")
    return hashlib.sha256(name).hexdigest()[:32]


def record_of(row: Row) -> PictureRecord:
    """Read what `PictureRecord.row` wrote.

    Args:
        row: Of a gallery.

    Raises:
        GalleryError: It is something else.
    """
    try:
        values = json.loads(row.record)
        box, state, shape = values.get("box"), values.get("state"), values.get("shape")
        return PictureRecord(
            str(values["path"]),
            (box[0], box[1], box[2], box[3]) if box else None,
            FileState(*state) if state else None,
            str(values.get("content", "")),
            (shape[0], shape[1]) if shape else None,
            dict(row.facts),
        )
    except (ValueError, RecursionError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise damaged_row(row.key) from error


def absolute(path: str | bytes | os.PathLike[Any]) -> str:
    """Return the absolute path of a picture as galleries keep it, without `..` and links not followed.

    Args:
        path: The path; text, bytes or a path.
    """
    return os.path.abspath(os.fsdecode(path))


def named_paths(paths: object) -> list[str]:
    """Return the absolute paths of pictures or folders that a caller names.

    Args:
        paths: One path, or several.

    Raises:
        GalleryError: One is empty, or no path.
    """
    one_or_more = [paths] if isinstance(paths, str | bytes | os.PathLike) else paths
    if not isinstance(one_or_more, Iterable):
        raise GalleryError(f"pictures are named by their paths, got a {type(paths).__name__}")
    found = []
    for path in one_or_more:
        if not isinstance(path, str | bytes | os.PathLike):
            raise GalleryError(f"a picture is named by its path, got a {type(path).__name__}")
        if not os.fspath(path):
            raise GalleryError("a path is empty; name a picture or a folder, and . for the folder that you are in")
        found.append(absolute(path))
    return found


def checked_box(box: object, place: str | Path) -> Box:
    """Return a box as whole numbers.

    Args:
        box: Four numbers: left, top, right, bottom.
        place: The picture, for messages.

    Raises:
        GalleryError: It is none, or has no area.
    """
    try:
        left, top, right, bottom = (int(value) for value in box)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError) as error:
        raise GalleryError(
            f"{place}: a box is four whole numbers, left, top, right and bottom in pixels, got {box!r}"
        ) from error
    if not (0 <= left < right and 0 <= top < bottom):
        raise GalleryError(
            f"{place}: the box {(left, top, right, bottom)} has no area or lies outside; it is left, top, right, bottom"
        )
    return left, top, right, bottom
