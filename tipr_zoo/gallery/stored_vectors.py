"""Vectors of a gallery's rows that are about to be written once more, and those of them that are damaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.records import record_of
from tipr_zoo.protocols.engines import Engine

_UNIT = 1e-3
"""How far the length of a vector may be from 1."""


def stored_vectors(engine: Engine, keys: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return the vectors of rows, (n, D) float32, in the order of the keys.

    Args:
        engine: Keeps the gallery.
        keys: Of the rows.

    Raises:
        GalleryError: One is not finite, or not of unit length, and so is none that was written. Its picture is named.
    """
    vectors = np.asarray(engine.vectors(keys), np.float32)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= _UNIT))  # true for NaN, too
    if len(wrong):
        (row,) = engine.rows([keys[int(wrong[0])]])
        raise GalleryError(
            f"the vector of {record_of(row).path} is damaged: it has the length {lengths[wrong[0]]:g} instead of 1;"
            " tipr-zoo gallery check names all such pictures: remove them from the gallery, and add them again"
        )
    return vectors
