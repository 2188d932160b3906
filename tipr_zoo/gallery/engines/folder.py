"""The engine of a gallery in a folder: SQLite for what is known of pictures, one file that only grows for vectors."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import ClassVar

import numpy as np

from tipr_zoo.errors import GalleryError, WriteError
from tipr_zoo.gallery.engines.code_scan import EXACT_BYTES, nearest_rows
from tipr_zoo.gallery.engines.codes import Codes
from tipr_zoo.gallery.engines.compaction import compact, is_worthwhile, remove_others
from tipr_zoo.gallery.engines.folder_access import TABLES, FolderAccess
from tipr_zoo.gallery.engines.last_writing import check_writing, noted_writing
from tipr_zoo.gallery.engines.row_checks import (
    check_conditions,
    check_header,
    check_rows,
    check_top,
    check_vectors,
)
from tipr_zoo.gallery.engines.snapshot import Snapshot, current_snapshot, vector_file
from tipr_zoo.gallery.engines.table_rows import (
    all_rows,
    damaged_keys,
    insert_rows,
    ranked_hits,
    remove_rows,
    rows_of,
    select_rows,
    slots_that_fit,
)
from tipr_zoo.gallery.engines.tables import (
    about,
    about_number,
    add_facts,
    fact_kinds,
    make_tables,
    matching_slots,
    told_errors,
)
from tipr_zoo.gallery.engines.vector_file import FIRST_NAME
from tipr_zoo.machine.whole_folder import whole_folder
from tipr_zoo.protocols.engines import Condition, Row
from tipr_zoo.registries import ENGINES


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
        self.folder, self._access = folder, FolderAccess(folder)
        self._codes: Codes | None = None
        noted = noted_writing(folder)
        with told_errors(self._access.file):
            self.dimension = about_number(self._access.connection, "dimension", folder)
            check_writing(folder, noted, about_number(self._access.connection, "generation", folder))

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
        try:
            if (folder / TABLES).exists():
                raise GalleryError(f"there is a gallery at {folder} already; open it, or name another folder")
            if (os.path.lexists(folder) and not folder.is_dir()) or (folder.is_dir() and any(os.scandir(folder))):
                raise GalleryError(f"{folder} is there and is no gallery; name a new folder")
            with whole_folder(folder) as part:
                make_tables(part / TABLES, header, dimension, FIRST_NAME)
                (part / FIRST_NAME).touch()
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
        try:
            is_there = (folder / TABLES).is_file()
        except OSError as error:
            fix = "ask its owner for the right" if isinstance(error, PermissionError) else "mend the name"
            raise GalleryError(f"no gallery can be opened at {folder}: {error.strerror}; {fix}") from error
        if not is_there:
            what = "there is a folder without a gallery" if folder.is_dir() else "there is nothing"
            what = "there is a file" if folder.is_file() else what
            raise GalleryError(f"no gallery at {folder}: {what}; tipr-zoo gallery create makes one")
        return cls(folder)

    @property
    def header(self) -> str:
        """The gallery's own ASCII JSON."""
        with told_errors(self._access.file):
            return str(about(self._access.connection, "header", self.folder))

    def set_header(self, header: str) -> None:
        """Replace the header, as a whole or not at all.

        Args:
            header: ASCII JSON.
        """
        check_header(header, str(self.folder))
        with self._access.written() as connection:
            connection.execute("UPDATE about SET value=? WHERE name='header'", (header,))

    def writing(self) -> AbstractContextManager[None]:
        """Be the one that writes as long as the block takes.

        Raises:
            GalleryError: Another process is.
        """
        return self._access.alone()

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
        with self._access.written() as connection:
            add_facts(connection, check_rows(rows, fact_kinds(connection), place))
            end = about_number(connection, "end", self.folder)
            remove_rows(connection, [row.key for row in rows])
            vector_file(connection, self.folder).append(end, vectors)
            insert_rows(connection, rows, vectors, end)
            connection.execute("UPDATE about SET value=? WHERE name='end'", (end + len(rows),))

    def delete(self, keys: Sequence[str]) -> int:
        """Delete rows, and return how many of them were there.

        Args:
            keys: Of the rows; a key that is not there is passed over.

        Raises:
            WriteError: It cannot be written; the gallery is as it was.
        """
        with self._access.written() as connection:
            return remove_rows(connection, keys)

    def rows(self, keys: Sequence[str] | None = None) -> Iterator[Row]:
        """Yield all rows in order of keys, or those of these keys that are there.

        Args:
            keys: Whose rows; None for all.
        """
        with told_errors(self._access.file):
            yield from all_rows(self._access.connection) if keys is None else rows_of(self._access.connection, keys)

    def vectors(self, keys: Sequence[str]) -> np.ndarray:
        """Return the vectors of rows, (n, D) float32, in the order of the keys.

        Args:
            keys: Of the rows.

        Raises:
            GalleryError: A key is not there.
        """

        def take(connection: sqlite3.Connection, snapshot: Snapshot) -> np.ndarray:
            slots = dict(select_rows(connection, "key, slot", list(dict.fromkeys(keys))))
            if missing := [key for key in keys if key not in slots]:
                raise GalleryError(f"the gallery {self.folder} has no row {missing[0]}")
            return snapshot.file.taken(np.array([slots[key] for key in keys], np.int64), len(snapshot.vectors))

        return self._access.read(take)

    def search(self, vectors: np.ndarray, top: int, where: Sequence[Condition] = ()) -> list[list[tuple[str, float]]]:
        """Find the nearest rows: exactly in galleries of up to 256 MB of vectors, and where a filter leaves few.

        Elsewhere codes of four bits a number are scanned, and what may be among the nearest is compared exactly.

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

        def find(connection: sqlite3.Connection, snapshot: Snapshot) -> list[list[tuple[str, float]]]:
            if where:
                check_conditions(where, fact_kinds(connection), str(self.folder))
            slots = slots_that_fit(connection, where) if where else None
            return ranked_hits(connection, nearest_rows(snapshot, self._codes_of(snapshot), queries, top, slots), top)

        return self._access.read(find)

    def count(self, where: Sequence[Condition] = ()) -> int:
        """Count rows.

        Args:
            where: What each row must be like.

        Raises:
            GalleryError: A fact is not there, or a value is of another kind.
        """
        with told_errors(self._access.file):
            if not where:
                return int(self._access.connection.execute("SELECT count(*) FROM rows").fetchone()[0])
            check_conditions(where, fact_kinds(self._access.connection), str(self.folder))
            query, values = matching_slots(self._access.connection, where)
            return int(self._access.connection.execute(f"SELECT count(*) FROM ({query})", values).fetchone()[0])

    def facts(self) -> Mapping[str, str]:
        """Return the gallery's facts and their kinds."""
        with told_errors(self._access.file):
            return fact_kinds(self._access.connection)

    def flush(self) -> None:
        """Give back the room of what was deleted, keep the codes of large galleries, and fold the log of SQLite."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.writing())
            except (GalleryError, WriteError):
                return  # another process writes, and does it when it is done; or the folder cannot be written to
            self._compact()
            snapshot = self._access.read(lambda _, snapshot: snapshot)
            remove_others(snapshot.file)
            if snapshot.vectors.nbytes > EXACT_BYTES:
                self._codes_of(snapshot).keep(snapshot)
        self._access.fold_log()

    def _compact(self) -> None:
        if is_worthwhile(self._access.read(lambda _, snapshot: snapshot)):
            with suppress(WriteError), self._access.written() as connection:  # a full disk: it is put off
                snapshot = current_snapshot(connection, self.folder)
                if is_worthwhile(snapshot):
                    compact(connection, snapshot)

    def damaged(self) -> list[str]:
        """Return the keys of rows whose vectors are not those that were written. Codes are made anew afterwards.

        Raises:
            GalleryError: The tables are damaged, or vectors are missing.
        """

        def compare(connection: sqlite3.Connection, snapshot: Snapshot) -> tuple[list[str], Snapshot]:
            told = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if told != "ok":
                raise sqlite3.DatabaseError(told)
            return damaged_keys(connection, snapshot), snapshot

        found, snapshot = self._access.read(compare)
        if self._codes_of(snapshot).forget():
            self.flush()
        return found

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
        self._access.close()
        self._codes = None

    def _codes_of(self, snapshot: Snapshot) -> Codes:
        codes = self._codes
        if codes is None or codes.file.path != snapshot.file.path:
            codes = self._codes = Codes(snapshot.file)
        return codes
