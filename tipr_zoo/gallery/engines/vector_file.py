"""The vectors of a gallery in a folder: one file that only grows."""

from __future__ import annotations

import errno
import mmap
import os
import re
import stat
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tipr_zoo.errors import GalleryError, WriteError

_BYTES = 4
"""Of a float32."""

AT_ONCE = 20_000
"""Vectors that are read or written at once where all are."""

FIRST_NAME = "vectors.1.f32"
"""Of the file of a new gallery. The number grows where the vectors move into another file."""

_NAME = re.compile(r"vectors\.(?P<number>[0-9]{1,9})\.f32")

_MAPPED = 2000
"""Vectors that are taken out of one mapping of the file."""

Floats = npt.NDArray[np.float32]


class VectorFile:
    """A file of float32 vectors, one after the other.

    What stands in it up to a slot never changes. So a reader beside a writer sees whole vectors.

    Args:
        path: The file.
        dimension: Numbers of each vector.
    """

    def __init__(self, path: Path, dimension: int) -> None:
        self.path, self.dimension = path, dimension

    @staticmethod
    def is_name(name: object) -> bool:
        """Tell whether something is the name of such a file, which lies beside the tables."""
        return isinstance(name, str) and _NAME.fullmatch(name) is not None

    def next(self) -> VectorFile:
        """Return the file that the vectors move into from this one; nothing is written yet."""
        named = _NAME.fullmatch(self.path.name)
        assert named is not None  # nothing else is opened
        return VectorFile(self.path.with_name(f"vectors.{int(named['number']) + 1}.f32"), self.dimension)

    def others(self) -> list[Path]:
        """Return the other files of vectors in the folder."""
        return [path for path in self.path.parent.iterdir() if path != self.path and self.is_name(path.name)]

    def append(self, end: int, vectors: Floats) -> None:
        """Write vectors from a slot on, and wait until they are on the disk.

        What stood from that slot on is what a killed writer has left, and goes.

        Args:
            end: The first free slot.
            vectors: (n, D) float32.

        Raises:
            WriteError: They cannot be written; what stood before the slot is as it was.
            GalleryError: The file is shorter than it was.
        """
        content = np.ascontiguousarray(vectors, np.float32).tobytes()
        start = end * self.dimension * _BYTES
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                self._check_size(os.fstat(descriptor).st_size, end)
                os.ftruncate(descriptor, start)
                try:
                    written = 0
                    while written < len(content):
                        written += os.pwrite(descriptor, content[written : written + (1 << 30)], start + written)
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, start)
                    raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise WriteError(error.errno or errno.EIO, error.strerror or str(error), str(self.path)) from error

    def read(self, end: int) -> Floats:
        """Map the vectors before a slot into memory: (end, D) float32, not to be written to.

        Args:
            end: The first free slot.

        Raises:
            GalleryError: The file is missing, or shorter than it was.
        """
        if not end:
            return np.empty((0, self.dimension), np.float32)
        try:
            self._check_size(self._size(), end)
            return np.memmap(self.path, np.float32, "r", shape=(end, self.dimension))
        except FileNotFoundError as error:
            raise GalleryError(
                f"{self.path} is missing; the gallery is damaged: bring the file back, or make the gallery anew"
            ) from error
        except OSError as error:
            raise GalleryError(
                f"{self.path}: cannot be read: {error.strerror or error}; make it readable, or bring it back"
            ) from error

    def copied(self, start: int, stop: int) -> Floats:
        """Read the vectors of some slots: (stop - start, D) float32. Unlike `read`, nothing else stays in memory.

        Args:
            start: The first slot.
            stop: The slot after the last; before the end of the gallery.

        Raises:
            GalleryError: The file is missing, or shorter than it was.
        """
        try:
            self._check_size(self._size(), stop)
            count, offset = (stop - start) * self.dimension, start * self.dimension * _BYTES
            return np.fromfile(self.path, np.float32, count, offset=offset).reshape(-1, self.dimension)
        except OSError as error:
            raise GalleryError(
                f"{self.path}: cannot be read: {error.strerror or error}; make it readable, or bring it back"
            ) from error

    def taken(self, slots: npt.NDArray[np.int64], end: int) -> Floats:
        """Read the vectors of some slots: (n, D) float32. Unlike `read`, nothing else stays in memory.

        Args:
            slots: The slots, all before `end`.
            end: The first free slot.

        Raises:
            GalleryError: The file is missing, or shorter than it was.
        """
        taken = np.empty((len(slots), self.dimension), np.float32)
        for start in range(0, len(slots), _MAPPED):  # a mapping keeps every page that was touched, and its neighbours
            mapped, part = self.read(end), slots[start : start + _MAPPED]
            if isinstance(mapped.base, mmap.mmap) and hasattr(mmap, "MADV_RANDOM"):
                mapped.base.madvise(mmap.MADV_RANDOM)  # else a disk reads far more than is taken
            np.take(mapped, part, axis=0, out=taken[start : start + _MAPPED])
        return taken

    def _size(self) -> int:
        about = self.path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise GalleryError(f"{self.path} is no file any more; bring the file back, or make the gallery anew")
        return about.st_size

    def _check_size(self, size: int, end: int) -> None:
        if size < end * self.dimension * _BYTES:
            raise GalleryError(
                f"{self.path} is truncated: it has {size:,} bytes, and {end:,} vectors take"
                f" {end * self.dimension * _BYTES:,}; bring the whole file back, or make the gallery anew"
            )
