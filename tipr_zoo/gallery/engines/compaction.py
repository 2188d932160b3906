"""Give back the room of vectors whose rows were deleted or replaced."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

import numpy as np

from tipr_zoo.gallery.engines.snapshot import Snapshot
from tipr_zoo.gallery.engines.tables import ROW_COLUMNS, VALUE_COLUMNS
from tipr_zoo.gallery.engines.vector_file import AT_ONCE, VectorFile

_FEWEST = 1000
"""Holes below which nothing is done."""

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


def compact(connection: sqlite3.Connection, snapshot: Snapshot) -> None:
    """Copy the vectors that are of use into another file, and number the rows anew.

    The new file is on the disk before the tables name it. Where this is stopped, the gallery is as it was.

    Args:
        connection: Within a transaction that writes.
        snapshot: Of the transaction; it has holes.

    Raises:
        WriteError: The disk is full.
    """
    assert snapshot.is_hole is not None
    kept = np.flatnonzero(~snapshot.is_hole)
    file = snapshot.file.next()
    for start in range(0, max(1, len(kept)), AT_ONCE):
        file.append(start, snapshot.file.taken(kept[start : start + AT_ONCE], len(snapshot.vectors)))
    connection.execute("CREATE TEMP TABLE moves (old INTEGER PRIMARY KEY, slot INTEGER NOT NULL)")
    connection.executemany("INSERT INTO moves VALUES (?, ?)", zip(kept.tolist(), range(len(kept)), strict=True))
    for statement in _MOVES:
        connection.execute(statement)
    connection.execute("DROP TABLE moves")
    connection.execute("UPDATE about SET value=? WHERE name='vectors'", (file.path.name,))
    connection.execute("UPDATE about SET value=? WHERE name='end'", (len(kept),))


def remove_others(kept: VectorFile) -> None:
    """Remove files of vectors that no table names any more, and those that a stopped writer left.

    A reader that is about to open one looks again.

    Args:
        kept: The file that stays. No other process writes meanwhile.
    """
    for path in kept.others():
        with suppress(OSError):  # a reader of a system that removes no open file: the next one removes it
            path.unlink()
