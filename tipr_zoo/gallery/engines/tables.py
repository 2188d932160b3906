"""What a gallery in a folder knows of its pictures: SQLite's tables."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tipr_zoo.errors import GalleryError, WriteError
from tipr_zoo.protocols.engines import Condition, Fact

VERSION = 1
"""Of the tables and of the vectors beside them."""

_APPLICATION = 0x74697072  # what the file says it is of: "tipr"
_WAIT = 120.0
"""Seconds that a batch waits for another one to be written."""

ROW_COLUMNS = """(slot INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, record TEXT NOT NULL, facts TEXT NOT NULL,
    checksum INTEGER NOT NULL)"""
VALUE_COLUMNS = """(fact INTEGER NOT NULL, value NOT NULL, slot INTEGER NOT NULL, PRIMARY KEY (fact, value, slot))
    WITHOUT ROWID"""
_SCHEMA = f"""
CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE rows {ROW_COLUMNS};
CREATE TABLE holes (slot INTEGER PRIMARY KEY);
CREATE TABLE facts (number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, kind TEXT NOT NULL);
CREATE TABLE fact_values {VALUE_COLUMNS};
"""

_NO_ROOM, _NOT_WRITABLE = ("full", "disk I/O error"), ("readonly", "unable to open")


def connect(file: Path) -> sqlite3.Connection:
    """Open the tables. Those of a folder that cannot be written to can be read.

    Args:
        file: The file of SQLite; it exists.

    Raises:
        GalleryError: It is none of a gallery, of another version, or damaged.
    """
    if not os.access(file, os.R_OK):
        raise GalleryError(f"{file}: may not be read; ask its owner for the right, or search as that user")
    with told_errors(file):
        connection = sqlite3.connect(file, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        try:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError as error:
                if not any(words in str(error) for words in (*_NOT_WRITABLE, *_NO_ROOM)):
                    raise
                connection.close()
                connection = _opened_to_read(file)
            connection.execute("PRAGMA synchronous=FULL")
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if application != _APPLICATION:
                raise GalleryError(f"{file} is no gallery's; name the folder of a gallery")
            if version != VERSION:
                raise GalleryError(
                    f"the gallery {file.parent} is of version {version}, and this tipr-zoo reads {VERSION}; open it"
                    " with the tipr-zoo that made it, or make it anew"
                )
        except BaseException:
            connection.close()
            raise
    return connection


def _opened_to_read(file: Path) -> sqlite3.Connection:
    """Open tables in a folder that nothing can be written into.

    Raises:
        GalleryError: What was written last is in the log, which cannot be read without writing.
    """
    log = file.with_name(f"{file.name}-wal")
    if log.is_file() and log.stat().st_size:
        raise GalleryError(
            f"what was written last into the gallery {file.parent} is in {log.name} alone, and the folder cannot be"
            " written to; make room there, or open the gallery once as a user who may write there"
        )
    address = f"file:{quote(os.fsencode(file.absolute()))}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


def make_tables(file: Path, header: str, dimension: int, vectors: str) -> None:
    """Make the tables of an empty gallery.

    Args:
        file: The file of SQLite; there is none yet.
        header: The gallery's own JSON.
        dimension: Numbers of each vector.
        vectors: Name of the file of vectors beside it.

    Raises:
        WriteError: It cannot be written.
    """
    with told_errors(file):
        connection = sqlite3.connect(file, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            about = {"header": header, "dimension": dimension, "vectors": vectors, "end": 0, "generation": 0}
            connection.executemany("INSERT INTO about VALUES (?, ?)", about.items())
            connection.execute(f"PRAGMA application_id={_APPLICATION}")
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("COMMIT")
        finally:
            connection.close()


def about(connection: sqlite3.Connection, name: str, folder: Path) -> str | int:
    """Return what a gallery says of itself.

    Args:
        connection: Of `connect`.
        name: Of what is asked.
        folder: Of the gallery, for messages.

    Raises:
        GalleryError: It does not say it.
    """
    found = connection.execute("SELECT value FROM about WHERE name=?", (name,)).fetchone()
    if found is None:
        raise GalleryError(f"the gallery {folder} is damaged: it has no {name}; make it anew")
    return found[0]


def about_number(connection: sqlite3.Connection, name: str, folder: Path) -> int:
    """Return a number that a gallery says of itself.

    Args:
        connection: Of `connect`.
        name: Of what is asked.
        folder: Of the gallery, for messages.

    Raises:
        GalleryError: It does not say it, or says something else.
    """
    found = about(connection, name, folder)
    if not isinstance(found, int) or found < 0:
        raise GalleryError(f"the gallery {folder} is damaged: its {name} is {found!r}; make it anew")
    return found


@contextmanager
def told_errors(file: Path) -> Iterator[None]:
    """Turn what SQLite raises into one line.

    Args:
        file: The file of SQLite, for messages.

    Raises:
        WriteError: The disk is full, or nothing may be written there.
        GalleryError: It is damaged, or another process writes into it for minutes.
    """
    try:
        yield
    except (IndexError, KeyError, OverflowError) as error:
        raise GalleryError(
            f"the gallery {file.parent} is damaged: its tables name what is not there; bring back {file.name} from a"
            " copy, or make the gallery anew"
        ) from error
    except sqlite3.Error as error:
        text, folder = str(error), file.parent
        if any(words in text for words in (*_NO_ROOM, *_NOT_WRITABLE)):
            number = 28 if any(words in text for words in _NO_ROOM) else 13
            raise WriteError(number, text, str(file)) from error
        if "locked" in text or "busy" in text:
            raise GalleryError(
                f"another process has been writing into the gallery {folder} for {_WAIT:.0f} s; try again when it is"
                " done"
            ) from error
        raise GalleryError(
            f"the gallery {folder} is damaged ({text}); bring back {file.name} from a copy, or make the gallery anew"
        ) from error


@contextmanager
def transaction(connection: sqlite3.Connection, *, writes: bool) -> Iterator[None]:
    """Begin a transaction, and commit it where the block ends without an error.

    Args:
        connection: Of `connect`.
        writes: Whether it writes. One that reads sees the gallery as it was at its beginning.
    """
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def fact_kinds(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the kinds of the gallery's facts by name."""
    rows = connection.execute("SELECT name, kind FROM facts ORDER BY name")
    return {name.decode("utf-8", "surrogatepass"): kind for name, kind in rows}


def fact_numbers(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the numbers by which `fact_values` knows the facts."""
    rows = connection.execute("SELECT name, number FROM facts")
    return {name.decode("utf-8", "surrogatepass"): number for name, number in rows}


def add_facts(connection: sqlite3.Connection, kinds: Mapping[str, str]) -> None:
    """Note facts that are new.

    Args:
        connection: Of `connect`.
        kinds: Their kinds by name.
    """
    named = [(kept_value(name), kind) for name, kind in kinds.items()]
    connection.executemany("INSERT INTO facts (name, kind) VALUES (?, ?)", named)


def kept_value(value: Fact) -> bytes | int | float:
    """Return the value of a fact as the tables keep it.

    Texts are bytes: SQLite's own texts hold no half of a character, and bytes of UTF-8 are ordered as code points are.

    Args:
        value: The value.
    """
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else +value


def matching_slots(connection: sqlite3.Connection, where: Sequence[Condition]) -> tuple[str, list[bytes | int | float]]:
    """Return the query, and its parameters, that gives the slots that fit all conditions.

    Args:
        connection: Of `connect`.
        where: Checked conditions, at least one.
    """
    numbers = fact_numbers(connection)
    parts = [f"SELECT slot FROM fact_values WHERE fact=? AND value{one.comparison}?" for one in where]
    values: list[bytes | int | float] = []
    for one in where:
        values += [numbers[one.fact], kept_value(one.value)]
    return " INTERSECT ".join(parts), values
