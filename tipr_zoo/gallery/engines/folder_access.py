"""Who reads and who writes a gallery in a folder."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from tipr_zoo.errors import GalleryError, WriteError
from tipr_zoo.gallery.engines.last_writing import note_writing
from tipr_zoo.gallery.engines.snapshot import Snapshot, current_snapshot
from tipr_zoo.gallery.engines.tables import about_number, connect, told_errors, transaction

TABLES, LOCK = "gallery.sqlite", "writer.lock"

_READERS_WAIT = 100
"""Milliseconds that folding the log waits for readers; else it is folded another time."""

_Found = TypeVar("_Found")


class FolderAccess:
    """The tables and vectors of a gallery in a folder, for threads and processes that share it.

    Args:
        folder: The folder; a gallery is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / TABLES
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._writing, self._lock = threading.RLock(), FileLock(folder / LOCK)
        self._snapshot: Snapshot | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of this thread."""
        if not hasattr(self._local, "connection"):
            self._local.connection = connect(self.file)
            self._connections.append(self._local.connection)
        return self._local.connection

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the one that writes as long as the block takes.

        Raises:
            GalleryError: Another process is.
            WriteError: The folder cannot be written to.
        """
        try:
            self._lock.acquire(timeout=0)
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
            self._lock.release()

    @contextmanager
    def written(self) -> Iterator[sqlite3.Connection]:
        """Write what the block changes, as a whole or not at all."""
        with self._writing, told_errors(self.file):
            connection = self.connection
            with transaction(connection, writes=True):
                yield connection
                connection.execute("UPDATE about SET value=value+1 WHERE name='generation'")
                generation = about_number(connection, "generation", self.folder)
            note_writing(self.folder, generation)

    def read(self, work: Callable[[sqlite3.Connection, Snapshot], _Found]) -> _Found:
        """Do something with the tables and the vectors as they are in one moment.

        Args:
            work: What is done. It may be done twice.

        Returns:
            What came of it.
        """
        with told_errors(self.file):
            try:
                return self._read_once(work)
            except GalleryError as error:
                if not isinstance(error.__cause__, FileNotFoundError):
                    raise
            return self._read_once(work)  # a writer has just moved the vectors into another file

    def _read_once(self, work: Callable[[sqlite3.Connection, Snapshot], _Found]) -> _Found:
        with transaction(self.connection, writes=False):
            snapshot = self._snapshot = current_snapshot(self.connection, self.folder, self._snapshot)
            return work(self.connection, snapshot)

    def fold_log(self) -> None:
        """Fold what was written lately into the tables, unless somebody reads."""
        with told_errors(self.file):
            (wait,) = self.connection.execute("PRAGMA busy_timeout").fetchone()
            self.connection.execute(f"PRAGMA busy_timeout={_READERS_WAIT}")
            with suppress(sqlite3.OperationalError):
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.connection.execute(f"PRAGMA busy_timeout={wait}")

    def close(self) -> None:
        """Give back what is held."""
        while self._connections:
            with suppress(sqlite3.Error):
                self._connections.pop().close()
        self._local, self._snapshot = threading.local(), None
