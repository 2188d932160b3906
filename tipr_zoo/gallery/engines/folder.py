"""The engine of a gallery in a folder: SQLite for what is known of pictures, one file that only grows for vectors."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from tipr_zoo.errors import GalleryError, WriteError
from tipr_zoo.gallery.engines.exact_scan import Slots, nearest
from tipr_zoo.gallery.engines.row_checks import (
    check_conditions,
    check_header,
    check_rows,
    check_top,
    check_vectors,
)
from tipr_zoo.gallery.engines.tables import (
    add_facts,
    connect,
    fact_kinds,
    fact_numbers,
    kept_value,
    make_tables,
    matching_slots,
    told_errors,
    transaction,
)
from tipr_zoo.gallery.engines.vector_file import Floats, VectorFile
from tipr_zoo.machine.whole_folder import whole_folder
from tipr_zoo.protocols.engines import Condition, Row
from tipr_zoo.registries import ENGINES

TABLES, LOCK = "gallery.sqlite", "writer.lock"
_FIRST_VECTORS = "vectors.1.f32"
_PAGE = 2000
"""Rows that are read at once."""

_MOST_PARAMETERS = 500
"""Of one statement of SQLite."""


@dataclass(frozen=True)
class Snapshot:
    """What a reader must know of the vectors, as of one moment.

    Attributes:
        generation: Counts what was written.
        vectors: (end, D) float32.
        is_hole: (end,) bool: the vectors of rows that were deleted or replaced; None where there are none.
        holes: How many these are.
    """

    generation: int
    vectors: Floats
    is_hole: npt.NDArray[np.bool_] | None
    holes: int


@ENGINES.register_module("folder")
class FolderEngine:
    """A gallery in a folder on disk. One process writes at a time; any number read beside it.

    A batch's vectors are on the disk before the rows that name them are committed. So what `add` has returned from
    outlasts kill -9 and a crash of the machine, and half a batch is never seen.

    Args:
        folder: The folder.
    """

    scheme: ClassVar[tuple[str, ...]] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / TABLES
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._writing = threading.RLock()
        self._snapshot: Snapshot | None = None
        with told_errors(self._file):
            self.dimension = int(self._about("dimension"))

    @classmethod
    def create(cls, address: str, header: str, dimension: int) -> FolderEngine:
        """Make an empty gallery.

        Args:
            address: The folder. It does not exist, or is empty; the folder above it exists.
            header: ASCII JSON, the gallery's own.
            dimension: Numbers of each vector.

        Raises:
            GalleryError: There is one already, or something else.
            WriteError: The folder cannot be made.
        """
        folder = Path(address)
        check_header(header, address)
        if (folder / TABLES).exists():
            raise GalleryError(f"there is a gallery at {folder} already; open it, or name another folder")
        if (os.path.lexists(folder) and not folder.is_dir()) or (folder.is_dir() and any(os.scandir(folder))):
            raise GalleryError(f"{folder} is there and is no gallery; name a new folder")
        try:
            with whole_folder(folder) as part:
                make_tables(part / TABLES, header, dimension, _FIRST_VECTORS)
                (part / _FIRST_VECTORS).touch()
        except WriteError as error:
            raise WriteError(error.errno, error.strerror, str(folder)) from error
        except OSError as error:
            raise WriteError(error.errno or 5, error.strerror or str(error), str(folder)) from error
        return cls(folder)

    @classmethod
    def open(cls, address: str) -> FolderEngine:
        """Open the gallery in a folder.

        Args:
            address: The folder.

        Raises:
            GalleryError: None is there, or one of another version, or it is damaged.
        """
        folder = Path(address)
        if not (folder / TABLES).is_file():
            what = "there is a folder without a gallery" if folder.is_dir() else "there is nothing"
            what = "there is a file" if folder.is_file() else what
            raise GalleryError(f"no gallery at {folder}: {what}; tipr-zoo gallery create makes one")
        return cls(folder)

    @property
    def header(self) -> str:
        """The gallery's own ASCII JSON."""
        with told_errors(self._file):
            return str(self._about("header"))

    def set_header(self, header: str) -> None:
        """Replace the header, as a whole or not at all.

        Args:
            header: ASCII JSON.
        """
        check_header(header, str(self.folder))
        with self._written() as connection:
            connection.execute("UPDATE about SET value=? WHERE name='header'", (header,))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one that writes as long as the block takes.

        Raises:
            GalleryError: Another process is.
        """
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise GalleryError(
                f"another process is writing into the gallery {self.folder}; wait until it is done, or end"
                " it. It can be searched meanwhile"
            ) from error
        except OSError as error:
            raise WriteError(error.errno or 13, error.strerror or str(error), str(self.folder)) from error
        try:
            yield
        finally:
            lock.release()

    def add(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        """Add rows, in the place of those of the same key.

        Args:
            rows: The rows; no key twice.
            vectors: (n, D) float32 of unit length.

        Raises:
            GalleryError: They do not fit the gallery, or it is damaged.
            WriteError: They cannot be written; the gallery is as it was.
        """
        place = str(self.folder)
        vectors = check_vectors(vectors, self.dimension, place, len(rows))
        if not rows:
            return
        with self._written() as connection:
            add_facts(connection, check_rows(rows, fact_kinds(connection), place))
            end = int(self._about("end"))
            self._remove(connection, [row.key for row in rows])
            self._vector_file().append(end, vectors)
            self._insert(connection, rows, vectors, end)
            connection.execute("UPDATE about SET value=? WHERE name='end'", (end + len(rows),))

    def _insert(self, connection: sqlite3.Connection, rows: Sequence[Row], vectors: Floats, end: int) -> None:
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

    def delete(self, keys: Sequence[str]) -> int:
        """Delete rows, and return how many of them were there.

        Args:
            keys: Of the rows; a key that is not there is passed over.

        Raises:
            WriteError: It cannot be written; the gallery is as it was.
        """
        with self._written() as connection:
            return self._remove(connection, keys)

    def _remove(self, connection: sqlite3.Connection, keys: Sequence[str]) -> int:
        found = list(self._select("slot, facts", keys, connection))
        if not found:
            return 0
        numbers = fact_numbers(connection)
        connection.executemany("INSERT INTO holes VALUES (?)", ((slot,) for slot, _ in found))
        connection.executemany("DELETE FROM rows WHERE slot=?", ((slot,) for slot, _ in found))
        connection.executemany(
            "DELETE FROM fact_values WHERE fact=? AND value=? AND slot=?",
            (
                (numbers[name], kept_value(value), slot)
                for slot, facts in found
                for name, value in json.loads(facts).items()
            ),
        )
        return len(found)

    def rows(self, keys: Sequence[str] | None = None) -> Iterator[Row]:
        """Yield all rows in order of keys, or those of these keys that are there.

        Args:
            keys: Whose rows; None for all.
        """
        if keys is not None:
            with told_errors(self._file):
                found = sorted(self._select("key, record, facts", list(dict.fromkeys(keys))))
            yield from (Row(key, record, json.loads(facts)) for key, record, facts in found)
            return
        last = ""
        while True:
            with told_errors(self._file):
                page = self._connection.execute(
                    "SELECT key, record, facts FROM rows WHERE key>? ORDER BY key LIMIT ?", (last, _PAGE)
                ).fetchall()
            yield from (Row(key, record, json.loads(facts)) for key, record, facts in page)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def vectors(self, keys: Sequence[str]) -> np.ndarray:
        """Return the vectors of rows, (n, D) float32, in the order of the keys.

        Args:
            keys: Of the rows.

        Raises:
            GalleryError: A key is not there.
        """
        with told_errors(self._file), transaction(self._connection, writes=False):
            slots = dict(self._select("key, slot", list(dict.fromkeys(keys))))
            if missing := [key for key in keys if key not in slots]:
                raise GalleryError(f"the gallery {self.folder} has no row {missing[0]}")
            if not len(keys):
                return np.empty((0, self.dimension), np.float32)
            return np.array(self._current().vectors[[slots[key] for key in keys]])

    def search(self, vectors: np.ndarray, top: int, where: Sequence[Condition] = ()) -> list[list[tuple[str, float]]]:
        """Find the nearest rows, exactly.

        Args:
            vectors: (Q, D) float32 of unit length.
            top: Rows a query.
            where: What each row must be like.

        Returns:
            For each query keys and cosines, the best first; equal scores in order of keys.

        Raises:
            GalleryError: A fact is not there, or a value is of another kind; or the gallery is damaged.
        """
        check_top(top, str(self.folder))
        queries = check_vectors(vectors, self.dimension, str(self.folder))
        with told_errors(self._file), transaction(self._connection, writes=False):
            snapshot = self._current()
            slots = self._matching(where) if where else None
            found = self._nearest(snapshot, queries, top, slots)
            keys = self._keys_of(np.concatenate([slots for slots, _ in found]) if found else np.empty(0, np.int64))
        return [
            sorted(
                ((keys[slot], float(score)) for slot, score in zip(slots.tolist(), scores, strict=True)),
                key=lambda hit: (-hit[1], hit[0]),
            )[:top]
            for slots, scores in found
        ]

    def _nearest(
        self, snapshot: Snapshot, queries: Floats, top: int, slots: Slots | None
    ) -> list[tuple[Slots, Floats]]:
        """Find the nearest of a snapshot, or of these slots of it."""
        return nearest(snapshot.vectors, queries, top, slots, snapshot.is_hole if slots is None else None)

    def count(self, where: Sequence[Condition] = ()) -> int:
        """Count rows.

        Args:
            where: What each row must be like.

        Raises:
            GalleryError: A fact is not there, or a value is of another kind.
        """
        with told_errors(self._file):
            if not where:
                return int(self._connection.execute("SELECT count(*) FROM rows").fetchone()[0])
            check_conditions(where, fact_kinds(self._connection), str(self.folder))
            query, values = matching_slots(self._connection, where)
            return int(self._connection.execute(f"SELECT count(*) FROM ({query})", values).fetchone()[0])

    def facts(self) -> Mapping[str, str]:
        """Return the gallery's facts and their kinds."""
        with told_errors(self._file):
            return fact_kinds(self._connection)

    def flush(self) -> None:
        """Fold what was written lately into the tables."""
        with told_errors(self._file), suppress(sqlite3.OperationalError):  # a reader may be in the way
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def damaged(self) -> list[str]:
        """Return the keys of rows whose vectors are not those that were written.

        Raises:
            GalleryError: The tables are damaged, or vectors are missing.
        """
        with told_errors(self._file), transaction(self._connection, writes=False):
            told = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if told != "ok":
                raise sqlite3.DatabaseError(told)
            vectors = self._current().vectors
            rows = self._connection.execute("SELECT slot, key, checksum FROM rows ORDER BY slot")
            return [key for slot, key, checksum in rows if zlib.crc32(vectors[slot].tobytes()) != checksum]

    def drop(self) -> None:
        """Remove the gallery, and all that is stored of it."""
        with self.writing():
            self.close()
            aside = self.folder.with_name(f".{self.folder.name[:50]}.{os.urandom(8).hex()}.part")
            try:
                os.replace(self.folder, aside)
            except OSError as error:
                raise WriteError(error.errno or 13, error.strerror or str(error), str(self.folder)) from error
        shutil.rmtree(aside, ignore_errors=True)

    def close(self) -> None:
        """Give back what is held."""
        while self._connections:
            with suppress(sqlite3.Error):
                self._connections.pop().close()
        self._local, self._snapshot = threading.local(), None

    @property
    def _connection(self) -> sqlite3.Connection:
        """The connection of this thread."""
        if not hasattr(self._local, "connection"):
            self._local.connection = connect(self._file)
            self._connections.append(self._local.connection)
        return self._local.connection

    def _about(self, name: str) -> str | int:
        found = self._connection.execute("SELECT value FROM about WHERE name=?", (name,)).fetchone()
        if found is None:
            raise GalleryError(f"the gallery {self.folder} is damaged: it has no {name}; make it anew")
        return found[0]

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        """Write what the block changes, as a whole or not at all."""
        with self._writing, told_errors(self._file), ExitStack() as stack:
            connection = self._connection
            stack.enter_context(transaction(connection, writes=True))
            yield connection
            connection.execute("UPDATE about SET value=value+1 WHERE name='generation'")

    def _vector_file(self) -> VectorFile:
        return VectorFile(self.folder / str(self._about("vectors")), self.dimension)

    def _current(self) -> Snapshot:
        """Return the snapshot of the transaction."""
        generation = int(self._about("generation"))
        snapshot = self._snapshot
        if snapshot is None or snapshot.generation != generation:
            end = int(self._about("end"))
            vectors = self._vector_file().read(end)
            holes = [slot for (slot,) in self._connection.execute("SELECT slot FROM holes")]
            is_hole = np.zeros(end, np.bool_) if holes else None
            if is_hole is not None:
                is_hole[holes] = True
            snapshot = self._snapshot = Snapshot(generation, vectors, is_hole, len(holes))
        return snapshot

    def _matching(self, where: Sequence[Condition]) -> Slots:
        check_conditions(where, fact_kinds(self._connection), str(self.folder))
        query, values = matching_slots(self._connection, where)
        return np.sort(np.fromiter((slot for (slot,) in self._connection.execute(query, values)), np.int64))

    def _keys_of(self, slots: Slots) -> dict[int, str]:
        """Return the keys of slots."""
        found: dict[int, str] = {}
        unique = np.unique(slots).tolist()
        for start in range(0, len(unique), _MOST_PARAMETERS):
            part = unique[start : start + _MOST_PARAMETERS]
            marks = ",".join("?" * len(part))
            found.update(self._connection.execute(f"SELECT slot, key FROM rows WHERE slot IN ({marks})", part))
        return found

    def _select(
        self, columns: str, keys: Sequence[str], connection: sqlite3.Connection | None = None
    ) -> Iterator[tuple]:  # type: ignore[type-arg]  # as many as there are columns
        """Yield columns of the rows of these keys, in any order."""
        for start in range(0, len(keys), _MOST_PARAMETERS):
            part = list(keys[start : start + _MOST_PARAMETERS])
            marks = ",".join("?" * len(part))
            query = f"SELECT {columns} FROM rows WHERE key IN ({marks})"
            yield from (connection or self._connection).execute(query, part).fetchall()
