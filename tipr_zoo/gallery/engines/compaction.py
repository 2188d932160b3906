"""Give back the room of vectors whose rows were deleted or replaced."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import numpy as np

from tipr_zoo.gallery.engines.snapshot import Snapshot
from tipr_zoo.gallery.engines.tables import ROW_COLUMNS, VALUE_COLUMNS
from tipr_zoo.gallery.engines.vector_file import VectorFile

_AT_ONCE = 20_000
"""Vectors that are copied at once."""

_FEWEST = 1000
"""Holes below which nothing is done."""

_NAME = "vectors.{}.f32"

FIRST_VECTORS = _NAME.format(1)
"""Name of the file of the vectors of a new gallery."""

_MOVES = (
    f"CREATE TABLE moved_rows {ROW_COLUMNS}",
    "INSERT INTO moved_rows SELECT moves.slot, key, record, facts, checksum FROM moves JOIN rows ON rows.slot=old",
    "DROP TABLE rows",
    "ALTER TABLE moved_rows RENAME TO rows",
    f"CREATE TABLE moved_values {VALUE_COLUMNS}",
    "INSERT INTO moved_values SELECT fact, value, moves.slot FROM fact_values JOIN moves ON fact_values.slot=old",
    "DROP TABLE fact_values",
    "ALTER TABLE moved_values RENAME TO fact_values",
    "DELETE FROM holes",
)


def is_worthwhile(snapshot: Snapshot) -> bool:
    """Tell whether a third of the vectors are of no use any more."""
    return snapshot.holes >= _FEWEST and 3 * snapshot.holes >= len(snapshot.vectors)


def compact(connection: sqlite3.Connection, folder: Path, snapshot: Snapshot) -> None:
    """Copy the vectors that are of use into another file, and number the rows anew.

    The new file is on the disk before the tables name it. Where this is stopped, the gallery is as it was.

    Args:
        connection: Within a transaction that writes.
        folder: Of the gallery.
        snapshot: Of the transaction; it has holes.

    Raises:
        WriteError: The disk is full.
    """
    assert snapshot.is_hole is not None
    kept = np.flatnonzero(~snapshot.is_hole)
    name = _NAME.format(int(snapshot.file.path.name.split(".")[1]) + 1)
    file = VectorFile(folder / name, snapshot.file.dimension)
    for start in range(0, max(1, len(kept)), _AT_ONCE):
        file.append(start, snapshot.file.taken(kept[start : start + _AT_ONCE], len(snapshot.vectors)))
    connection.execute("CREATE TEMP TABLE moves (old INTEGER PRIMARY KEY, slot INTEGER NOT NULL)")
    connection.executemany("INSERT INTO moves VALUES (?, ?)", zip(kept.tolist(), range(len(kept)), strict=True))
    for statement in _MOVES:
        connection.execute(statement)
    connection.execute("DROP TABLE moves")
    connection.execute("UPDATE about SET value=? WHERE name='vectors'", (name,))
    connection.execute("UPDATE about SET value=? WHERE name='end'", (len(kept),))


def remove_others(folder: Path, name: str) -> None:
    """Remove files of vectors that no table names any more, and those that a stopped writer left.

    A reader that is about to open one looks again.

    Args:
        folder: Of the gallery. No other process writes meanwhile.
        name: Of the file that stays.
    """
    for file in folder.glob(_NAME.format("*")):
        if file.name != name:
            with suppress(OSError):  # a reader of a system that removes no open file: the next one removes it
                os.unlink(file)
