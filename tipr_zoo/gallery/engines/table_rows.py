"""The rows of a gallery in a folder: how SQLite's tables hold them."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.engines.exact_scan import Slots
from tipr_zoo.gallery.engines.row_checks import kept_facts
from tipr_zoo.gallery.engines.snapshot import Snapshot
from tipr_zoo.gallery.engines.tables import fact_numbers, kept_value, matching_slots
from tipr_zoo.gallery.engines.vector_file import AT_ONCE, Floats
from tipr_zoo.protocols.engines import Condition, Row

_PAGE = 2000
"""Rows that are read at once."""

_MOST_PARAMETERS = 500
"""Of one statement of SQLite."""


def insert_rows(connection: sqlite3.Connection, rows: Sequence[Row], vectors: Floats, end: int) -> None:
    """Write rows whose vectors stand from a slot on.

    Args:
        connection: Within a transaction that writes.
        rows: Checked rows; none of their keys is there.
        vectors: (n, D) float32, of which the checksums are kept.
        end: The slot of the first.
    """
    numbers = fact_numbers(connection)
    connection.executemany(
        "INSERT INTO rows VALUES (?, ?, ?, ?, ?)",
        (
            (end + place, row.key, row.record, json.dumps(dict(row.facts)), zlib.crc32(vector.tobytes()))
            for place, (row, vector) in enumerate(zip(rows, vectors, strict=True))
        ),
    )
    connection.executemany(
        "INSERT INTO fact_values VALUES (?, ?, ?)",
        (
            (numbers[name], kept_value(value), end + place)
            for place, row in enumerate(rows)
            for name, value in row.facts.items()
        ),
    )


def remove_rows(connection: sqlite3.Connection, keys: Sequence[str]) -> int:
    """Remove rows, and return how many of them were there. Their vectors become holes.

    Args:
        connection: Within a transaction that writes.
        keys: Of the rows.
    """
    found = list(select_rows(connection, "slot, facts, key", keys))
    connection.executemany("INSERT INTO holes VALUES (?)", ((slot,) for slot, _, _ in found))
    connection.executemany("DELETE FROM rows WHERE slot=?", ((slot,) for slot, _, _ in found))
    numbers = fact_numbers(connection) if found else {}
    for slot, text, key in found:
        try:
            values = [(numbers[name], kept_value(value), slot) for name, value in kept_facts(text, key).items()]
        except (GalleryError, KeyError):  # the row is damaged: its facts are looked for, which takes long
            connection.execute("DELETE FROM fact_values WHERE slot=?", (slot,))
        else:
            connection.executemany("DELETE FROM fact_values WHERE fact=? AND value=? AND slot=?", values)
    return len(found)


def all_rows(connection: sqlite3.Connection) -> Iterator[Row]:
    """Yield the rows in order of keys. They are read in pages, so that no writer waits.

    Args:
        connection: Outside a transaction.
    """
    last = ""
    while True:
        page = connection.execute(
            "SELECT key, record, facts FROM rows WHERE key>? ORDER BY key LIMIT ?", (last, _PAGE)
        ).fetchall()
        yield from (Row(key, record, kept_facts(facts, key)) for key, record, facts in page)
        if len(page) < _PAGE:
            return
        last = page[-1][0]


def rows_of(connection: sqlite3.Connection, keys: Sequence[str]) -> list[Row]:
    """Return the rows of these keys that are there, in order of keys.

    Args:
        connection: The tables.
        keys: Of the rows.
    """
    found = sorted(select_rows(connection, "key, record, facts", list(dict.fromkeys(keys))))
    return [Row(key, record, kept_facts(facts, key)) for key, record, facts in found]


def select_rows(connection: sqlite3.Connection, columns: str, keys: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield columns of the rows of these keys, in any order.

    Args:
        connection: The tables.
        columns: Their names, with commas between.
        keys: Of the rows.
    """
    yield from _select(connection, columns, "key", keys)


def _select(
    connection: sqlite3.Connection, columns: str, by: str, values: Sequence[str | int]
) -> Iterator[tuple[Any, ...]]:
    """Yield columns of the rows whose key or slot is one of the values."""
    for start in range(0, len(values), _MOST_PARAMETERS):
        part = list(values[start : start + _MOST_PARAMETERS])
        marks = ",".join("?" * len(part))
        yield from connection.execute(f"SELECT {columns} FROM rows WHERE {by} IN ({marks})", part).fetchall()


def keys_of(connection: sqlite3.Connection, slots: Slots) -> dict[int, str]:
    """Return the keys of slots.

    Args:
        connection: The tables.
        slots: In any order, any number of times.
    """
    return dict(_select(connection, "slot, key", "slot", np.unique(slots).tolist()))


def ranked_hits(
    connection: sqlite3.Connection, found: Sequence[tuple[Slots, Floats]], top: int
) -> list[list[tuple[str, float]]]:
    """Return keys and scores, the best first; equal scores in order of keys.

    Args:
        connection: The tables.
        found: Slots and scores of each query.
        top: How many to return of each.
    """
    keys = keys_of(connection, np.concatenate([slots for slots, _ in found]) if found else np.empty(0, np.int64))
    hits = [
        [(keys[slot], float(score)) for slot, score in zip(slots.tolist(), scores, strict=True)]
        for slots, scores in found
    ]
    return [sorted(own, key=lambda hit: (-hit[1], hit[0]))[:top] for own in hits]


def slots_that_fit(connection: sqlite3.Connection, where: Sequence[Condition]) -> Slots:
    """Return the slots of the rows that fit all conditions, sorted.

    Args:
        connection: The tables.
        where: Checked conditions, at least one.
    """
    query, values = matching_slots(connection, where)
    return np.sort(np.fromiter((slot for (slot,) in connection.execute(query, values)), np.int64))


def damaged_keys(connection: sqlite3.Connection, snapshot: Snapshot) -> list[str]:
    """Return the keys of rows whose vectors are not those that were written.

    Args:
        connection: Within the transaction of the snapshot.
        snapshot: The vectors.
    """
    found: list[str] = []
    for start in range(0, len(snapshot.vectors), AT_ONCE):
        stop = min(start + AT_ONCE, len(snapshot.vectors))
        vectors = snapshot.file.copied(start, stop)
        query = "SELECT slot, key, checksum FROM rows WHERE slot>=? AND slot<? ORDER BY slot"
        rows = connection.execute(query, (start, stop))
        found += [key for slot, key, checksum in rows if zlib.crc32(vectors[slot - start].tobytes()) != checksum]
    return found
