"""Codes of four bits a number, which are scanned in the place of the vectors of a large gallery.

They are made of the vectors alone, and can be made anew from them at any time. A file beside the vectors spares that.
"""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tipr_zoo.gallery.engines.exact_scan import Slots
from tipr_zoo.gallery.engines.snapshot import Snapshot
from tipr_zoo.gallery.engines.vector_file import AT_ONCE, Floats, VectorFile

if TYPE_CHECKING:
    from turbovec import TurboQuantIndex

_WIDTH = 8
"""Codes take vectors of a multiple of this many numbers; zeros are added, which change no cosine."""

_LARGEST = 2.0
"""Of the numbers of a vector of unit length. Codes of a damaged vector, which `damaged` names, are those of zero."""

_PROVING = 64
"""Vectors before the end of the codes, by which these prove to be of the vectors that are there."""

_NAME = re.compile(r"(?P<vectors>.+)\.(?P<end>\d+)\.(?P<proof>[0-9a-f]{8})\.codes")


class Codes:
    """The codes of one file of vectors. Threads may share them.

    Args:
        file: Of the vectors.
    """

    def __init__(self, file: VectorFile) -> None:
        self.file, self._folder, self._dimension = file, file.path.parent, file.dimension
        self._lock = threading.Lock()
        self._index: TurboQuantIndex | None = None
        self._reads = True

    def candidates(
        self, snapshot: Snapshot, queries: Floats, count: int, is_allowed: npt.NDArray[np.bool_] | None
    ) -> tuple[Slots, Floats]:
        """Find what scores best by its code.

        Args:
            snapshot: The vectors; codes that are missing are made.
            queries: (Q, D) float32 of unit length.
            count: How many of each query; no more than there are.
            is_allowed: (end,) bool, which slots may be found; None for all.

        Returns:
            (Q, count) slots and the cosines that the codes stand for, the best first.
        """
        end = len(snapshot.vectors)
        with self._lock:
            index = self._grown(snapshot.vectors)
            if is_allowed is not None or len(index) > end:  # another thread has seen more than this snapshot holds
                mask = np.zeros(len(index), np.bool_)
                mask[:end] = True if is_allowed is None else is_allowed
                scores, slots = index.search(self._widened(queries), k=count, mask=mask)
            else:
                scores, slots = index.search(self._widened(queries), k=count)
        return np.asarray(slots).astype(np.int64), np.asarray(scores, np.float32)

    def keep(self, snapshot: Snapshot) -> None:
        """Write the codes beside the vectors, where those that are there are of fewer. What cannot be written is not.

        Args:
            snapshot: The vectors. No other process writes meanwhile.
        """
        end = len(snapshot.vectors)
        kept = max((kept for kept, _ in self._files(snapshot.vectors)), default=0)
        if kept and end - kept < max(AT_ONCE, kept // 20):
            return
        with self._lock:
            index = self._grown(snapshot.vectors)
            if len(index) != end:
                return
            file = self._folder / f"{self.file.path.name}.{end}.{_proof(snapshot.vectors, end)}.codes"
            with suppress(OSError):  # a full disk: the next reader makes them anew
                index.write(str(file), durable=False)
                for other in self._folder.glob("*.codes"):
                    if other != file:
                        other.unlink()

    def make_anew(self) -> bool:
        """Make the codes anew from the vectors, and return whether they were read from a file before."""
        with self._lock:
            was_read, self._index, self._reads = self._reads, None, False
            return was_read

    def forget(self) -> bool:
        """Remove the codes that are kept, and those in memory. Return whether any were kept."""
        with self._lock:
            self._index = None
            files = list(self._folder.glob("*.codes"))
            for file in files:
                with suppress(OSError):
                    file.unlink()
            return bool(files)

    def _grown(self, vectors: Floats) -> TurboQuantIndex:
        """Return codes of at least these vectors."""
        index = self._index
        if index is None:
            index = self._index = self._loaded(vectors)
        for start in range(len(index), len(vectors), AT_ONCE):
            index.add(self._widened(self.file.copied(start, min(start + AT_ONCE, len(vectors)))))
        return index

    def _loaded(self, vectors: Floats) -> TurboQuantIndex:
        # not at the top: a gallery that is compared exactly needs no codes
        from turbovec import TurboQuantIndex

        for end, file in sorted(self._files(vectors), reverse=True) if self._reads else ():
            with suppress(OSError, ValueError):  # it was just replaced, or is damaged
                index = TurboQuantIndex.load(str(file))
                if len(index) == end and index.dim == _widened_dimension(self._dimension):
                    return index
        return TurboQuantIndex(dim=_widened_dimension(self._dimension), bit_width=4)

    def _files(self, vectors: Floats) -> Iterator[tuple[int, Path]]:
        """Yield the files of codes that are of these vectors, and how many they are of."""
        for file in self._folder.glob("*.codes"):
            named = _NAME.fullmatch(file.name)
            if (
                named is None
                or named["vectors"] != self.file.path.name
                or not 0 < (end := int(named["end"])) <= len(vectors)
            ):
                continue
            if named["proof"] == _proof(vectors, end):
                yield end, file

    def _widened(self, vectors: Floats) -> Floats:
        missing = _widened_dimension(self._dimension) - self._dimension
        array = np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors, np.float32)
        is_damaged = ~(np.abs(array).max(axis=1, initial=0) < _LARGEST)  # true for NaN, too
        if is_damaged.any():
            array = np.where(is_damaged[:, None], np.float32(0), array)
        return array


def _widened_dimension(dimension: int) -> int:
    return -(-dimension // _WIDTH) * _WIDTH


def _proof(vectors: Floats, end: int) -> str:
    return f"{zlib.crc32(vectors[max(0, end - _PROVING) : end].tobytes()):08x}"
