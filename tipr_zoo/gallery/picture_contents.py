"""What pictures hold: their hashes, and their pixels as a model takes them, of the whole picture or of a box."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from tipr_zoo.errors import DataError, TiprZooError
from tipr_zoo.gallery.records import Box, FileState
from tipr_zoo.models.kept_promises import preprocessed
from tipr_zoo.outside.files import PICTURE_LIMIT, read_bytes
from tipr_zoo.pictures.decoding import decode_picture
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.protocols import Retriever

SETTLED_AFTER = 2.0
"""Seconds since the last change of a file from which on another change has other times."""

_READERS = 8


def file_state(path: str) -> FileState:
    """Return what tells whether a file was changed, without reading it.

    Args:
        path: The file.

    Raises:
        OSError: There is none, or it cannot be looked at.
    """
    found = os.stat(path)
    is_settled = max(found.st_mtime, found.st_ctime) < time.time() - SETTLED_AFTER
    return FileState(found.st_size, found.st_mtime_ns, found.st_ctime_ns if is_settled else 0)


def is_unchanged(known: FileState | None, now: FileState) -> bool:
    """Tell whether a file is surely as it was: size and times are the same, and it was not new when it was read."""
    return known is not None and known.changed != 0 and known == now


@dataclass(frozen=True)
class ReadFile:
    """A file of a picture as it was read.

    Attributes:
        state: Of the file before it was read.
        content: SHA-256 of its bytes.
    """

    state: FileState
    content: str


def read_files(paths: Sequence[str], on_read: Callable[[int], object]) -> list[ReadFile | DataError]:
    """Read and hash files.

    Args:
        paths: The files.
        on_read: Told how many have been read since it was told last.

    Returns:
        What was read of each, or why it cannot be.
    """
    with ThreadPoolExecutor(_READERS) as pool:
        found = []
        for one in pool.map(_read, paths):
            found.append(one)
            on_read(1)
        return found


def _read(path: str) -> ReadFile | DataError:
    try:
        state = file_state(path)
        return ReadFile(state, content_sha256(path))
    except OSError as error:
        try:
            open_picture(path)  # says what is wrong and what to do
        except DataError as told:
            return told
        return DataError(f"cannot read {path}: {error.strerror or error}; check its permissions and the disk")


def content_sha256(path: str) -> str:
    """Return the SHA-256 of a picture's file.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    return hashlib.sha256(read_bytes(path, PICTURE_LIMIT)).hexdigest()


@dataclass(frozen=True)
class Crop:
    """A picture, or the part of one in a box, as a model takes it.

    Attributes:
        pixels: (3, H, W) float32.
        shape: Width and height in pixels of what was taken.
        content: SHA-256 of the file that it was taken from.
    """

    pixels: Tensor
    shape: tuple[int, int]
    content: str


class Crops(Dataset["Crop | TiprZooError"]):
    """Pictures from disk, each the whole or a box of it, or what is wrong with one.

    Args:
        places: Path and box of each.
        model: The model that takes them.
    """

    def __init__(self, places: Iterable[tuple[str, Box | None]], model: Retriever) -> None:
        self.places, self.model = list(places), model

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Crop | TiprZooError:
        """Return a crop, or what is wrong with it: an error raised in a worker comes back as a printed traceback."""
        path, box = self.places[index]
        try:
            return self._crop(path, box)
        except TiprZooError as error:
            return error

    def _crop(self, path: str, box: Box | None) -> Crop:
        try:
            content = read_bytes(path, PICTURE_LIMIT)
        except OSError as error:
            open_picture(path)
            raise DataError(f"cannot read {path}: {error.strerror or error}; check its permissions") from error
        picture = decode_picture(content, Path(path))
        if box is not None:
            if box[2] > picture.width or box[3] > picture.height:
                raise DataError(
                    f"{path}: the box {box} leads out of the picture, which is {picture.width} x {picture.height}"
                )
            picture = picture.crop(box)
        return Crop(preprocessed(self.model, picture), picture.size, hashlib.sha256(content).hexdigest())


class CropPixels(Dataset["Tensor | TiprZooError"]):
    """The pixels alone, as re-ranking reads them.

    Args:
        crops: The pictures.
    """

    def __init__(self, crops: Crops) -> None:
        self.crops = crops
        self.paths = [Path(path) for path, _ in crops.places]

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> Tensor | TiprZooError:
        """Return (3, H, W) float32, or what is wrong."""
        found = self.crops[index]
        return found.pixels if isinstance(found, Crop) else found
