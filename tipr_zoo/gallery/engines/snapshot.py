"""What a reader sees of a gallery's vectors in one moment."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.engines.tables import about, about_number
from tipr_zoo.gallery.engines.vector_file import Floats, VectorFile


@dataclass(frozen=True)
class Snapshot:
    """What a reader must know of the vectors, as of one moment.

    Attributes:
        generation: Counts what was written.
        file: Of the vectors. What stands in it before `end` never changes.
        vectors: (end, D) float32.
        is_hole: (end,) bool: the vectors of rows that were deleted or replaced; None where there are none.
        holes: How many these are.
    """

    generation: int
    file: VectorFile
    vectors: Floats
    is_hole: npt.NDArray[np.bool_] | None
    holes: int


def current_snapshot(connection: sqlite3.Connection, folder: Path, known: Snapshot | None = None) -> Snapshot:
    """Return the snapshot of a transaction.

    Args:
        connection: Within a transaction.
        folder: Of the gallery.
        known: An earlier snapshot, which is returned where nothing was written since.

    Raises:
        GalleryError: The gallery is damaged.
    """
    generation = about_number(connection, "generation", folder)
    if known is not None and known.generation == generation:
        return known
    end, file = about_number(connection, "end", folder), vector_file(connection, folder)
    holes = np.fromiter((slot for (slot,) in connection.execute("SELECT slot FROM holes")), np.int64)
    is_hole = np.zeros(end, np.bool_) if len(holes) else None
    if is_hole is not None:
        is_hole[holes] = True
    return Snapshot(generation, file, file.read(end), is_hole, len(holes))


def vector_file(connection: sqlite3.Connection, folder: Path) -> VectorFile:
    """Return the file that holds the vectors.

    Args:
        connection: Within a transaction.
        folder: Of the gallery.

    Raises:
        GalleryError: The tables name another file.
    """
    name = about(connection, "vectors", folder)
    if not VectorFile.is_name(name):
        raise GalleryError(f"the gallery {folder} is damaged: {name!r} is no file of vectors; make it anew")
    return VectorFile(folder / str(name), about_number(connection, "dimension", folder))
