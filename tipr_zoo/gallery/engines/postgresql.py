"""A gallery in PostgreSQL with pgvector."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import numpy as np

from tipr_zoo.gallery.engines.installed_client import check_client
from tipr_zoo.gallery.engines.postgresql_connections import Connections
from tipr_zoo.gallery.engines.postgresql_facts import FactColumns
from tipr_zoo.gallery.engines.postgresql_search import IndexedSearch, exact_search
from tipr_zoo.gallery.engines.postgresql_tables import (
    FORMAT,
    LARGEST_INDEXED,
    conditions,
    create_statement,
    kept_fact,
    schema_name,
    statement,
)
from tipr_zoo.gallery.engines.row_checks import (
    check_conditions,
    check_header,
    check_keys,
    check_rows,
    check_top,
    check_vectors,
    kept_facts,
)
from tipr_zoo.gallery.engines.server_address import ServerAddress, parse_address
from tipr_zoo.protocols import Condition, Row
from tipr_zoo.registries import ENGINES

if TYPE_CHECKING:
    from psycopg.sql import Composed

    from tipr_zoo.gallery.engines.postgresql_connections import Connection

FORM = "postgresql://USER@HOST:PORT/DATABASE/GALLERY"
"""How an address is written."""

_PORT = 5432
_OPTIONS = (
    "host",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "channel_binding",
    "target_session_attrs",
    "passfile",
)
_PAGE = 1000
"""Rows that are fetched at once."""
_QUERIES = 20
"""Queries that are asked in one transaction, each of which has the whole timeout."""
_ROWS_A_SECOND = 100
"""Rows that any server takes in a second."""
_VECTOR = """
    INSERT INTO {vector} (key, vector) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET vector = excluded.vector"""


@ENGINES.register_module(name="postgresql")
class PostgreSQLEngine:
    """Keeps a gallery in a schema of its own, ``tipr_zoo_GALLERY``, of a PostgreSQL database with pgvector.

    Below `EXACT_BELOW` rows, and where a filter leaves fewer, every vector is compared. Above, an index on float16 that
    `flush` makes proposes rows, and their float32 vectors decide. Threads may share an engine.

    Attributes:
        scheme: Beginnings of its addresses.
        EXACT_BELOW: Rows up to which every vector is compared.
    """

    scheme: ClassVar[tuple[str, ...]] = ("postgresql", "postgres")
    EXACT_BELOW: ClassVar[int] = 50_000

    def __init__(self, address: ServerAddress, connections: Connections) -> None:
        self._address, self._connections = address, connections
        self._id: UUID | None = None
        self.dimension = 0
        self._facts = FactColumns(address)
        self._is_indexed = False

    @classmethod
    def create(cls, address: str, header: str, dimension: int) -> PostgreSQLEngine:
        """Make an empty gallery.

        Args:
            address: Where, ``postgresql://USER@HOST:PORT/DATABASE/GALLERY``.
            header: ASCII JSON, the gallery's own.
            dimension: Numbers of each vector, at most 16,000.

        Raises:
            GalleryError: One is there already, or the server cannot be reached or refuses.
        """
        from psycopg import errors  # from an extra

        place, connections = _server(address)
        check_header(header, place.shown)
        if not 1 <= dimension <= 16_000:
            raise place.error(f"pgvector keeps vectors of 1 to 16000 numbers, got {dimension}")
        with connections.transaction() as connection:
            try:
                connection.execute(create_statement(place.gallery, dimension))
            except (errors.DuplicateSchema, errors.UniqueViolation):  # the latter where two make it at once
                raise place.error(
                    f"a gallery is there already (schema {schema_name(place.gallery)}); open it, or give another name"
                ) from None
            text = "INSERT INTO {gallery} (format, dimension, header) VALUES (%s, %s, %s)"
            connection.execute(statement(text, place.gallery), [FORMAT, dimension, header])
        connections.close()
        return cls.open(address)

    @classmethod
    def open(cls, address: str) -> PostgreSQLEngine:
        """Open the gallery at an address.

        Args:
            address: Where it is, ``postgresql://USER@HOST:PORT/DATABASE/GALLERY``.

        Raises:
            GalleryError: None is there, or one of another version, or the server cannot be reached or refuses.
        """
        engine = cls(*_server(address))
        engine._look()
        return engine

    @property
    def header(self) -> str:
        """The gallery's own ASCII JSON, as it is now."""
        with self._transaction() as connection:
            row = connection.execute(self._statement("SELECT header FROM {gallery}")).fetchone()
        return str(row[0]) if row else ""

    def set_header(self, header: str) -> None:
        """Replace the header, as a whole or not at all.

        Args:
            header: ASCII JSON.
        """
        check_header(header, self._address.shown)
        with self._transaction() as connection:
            connection.execute(self._statement("UPDATE {gallery} SET header = %s"), [header])

    def add(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        """Add rows, in the place of those of the same key: all of them or, where it raises, none.

        Args:
            rows: The rows; no key twice.
            vectors: (n, D) float32 of unit length.

        Raises:
            GalleryError: They do not fit the gallery, or the server cannot be reached or refuses.
        """
        kept = check_vectors(vectors, self.dimension, self._address.shown, rows=len(rows))
        check_rows(rows, self._facts.kinds, self._address.shown)
        names = sorted({fact for row in rows for fact in row.facts})
        order = sorted(
            range(len(rows)), key=lambda index: rows[index].key
        )  # so that no two writers wait for each other
        pictures = [
            [UUID(row.key), row.record, json.dumps(dict(row.facts))]
            + [kept_fact(row.facts[name]) if name in row.facts else None for name in names]
            for row in (rows[index] for index in order)
        ]
        with self._transaction(timeout=self._address.timeout + len(rows) / _ROWS_A_SECOND) as connection:
            columns = self._facts.made_for(connection, rows)
            with connection.cursor() as cursor:
                cursor.executemany(self._facts.insertion(names, columns), pictures)
                keys = [UUID(rows[index].key) for index in order]
                cursor.executemany(self._statement(_VECTOR), list(zip(keys, kept[order], strict=True)))
        self._facts.by_name = columns

    def delete(self, keys: Sequence[str]) -> int:
        """Delete rows, and return how many of them were there.

        Args:
            keys: Of the rows; a key that is not there is passed over.
        """
        check_keys(keys, self._address.shown)
        with self._transaction() as connection:
            text = self._statement("DELETE FROM {picture} WHERE key = ANY(%s)")
            return connection.execute(text, [[UUID(key) for key in keys]]).rowcount

    def rows(self, keys: Sequence[str] | None = None) -> Iterator[Row]:
        """Yield all rows in order of keys, or those of these keys that are there, in pages.

        Args:
            keys: Whose rows; None for all.
        """
        if keys is None:
            last: UUID | None = None
            text = "SELECT key, record, facts FROM {picture} WHERE %s::uuid IS NULL OR key > %s ORDER BY key LIMIT %s"
            while page := self._page(text, [last, last, _PAGE]):
                yield from (_row(*found) for found in page)
                last = page[-1][0]
            return
        check_keys(keys, self._address.shown)
        text = "SELECT key, record, facts FROM {picture} WHERE key = ANY(%s)"
        for start in range(0, len(keys), _PAGE):
            wanted = keys[start : start + _PAGE]
            by_key = {found[0].hex: found for found in self._page(text, [[UUID(key) for key in wanted]])}
            yield from (_row(*by_key[key]) for key in wanted if key in by_key)

    def vectors(self, keys: Sequence[str]) -> np.ndarray:
        """Return the vectors of rows, (n, D) float32, in the order of the keys.

        Args:
            keys: Of the rows.

        Raises:
            GalleryError: A key is not there.
        """
        check_keys(keys, self._address.shown)
        result = np.empty((len(keys), self.dimension), np.float32)
        for start in range(0, len(keys), _PAGE):
            wanted = keys[start : start + _PAGE]
            found = self._page("SELECT key, vector FROM {vector} WHERE key = ANY(%s)", [[UUID(key) for key in wanted]])
            by_key = {key.hex: vector.to_numpy() for key, vector in found}
            for index, key in enumerate(wanted, start):
                if key not in by_key:
                    raise self._address.error(f"no row has the key {key}; it was removed, or never added")
                result[index] = by_key[key]
        return result

    def search(self, vectors: np.ndarray, top: int, where: Sequence[Condition] = ()) -> list[list[tuple[str, float]]]:
        """Find the nearest rows.

        Args:
            vectors: (Q, D) float32 of unit length.
            top: Rows a query.
            where: What each row must be like.

        Returns:
            For each query keys and cosines, the best first; equal scores in order of keys.

        Raises:
            GalleryError: A fact is not there, or a value is of another kind, or the server cannot be reached.
        """
        queries = check_vectors(vectors, self.dimension, self._address.shown)
        check_top(top, self._address.shown)
        found: list[list[tuple[str, float]]] = []
        indexed = IndexedSearch(self._address.gallery, self.dimension, self.EXACT_BELOW)
        for start in range(0, len(queries), _QUERIES):
            with self._transaction(where, timeout=_QUERIES * self._address.timeout) as connection:
                asked = conditions(where, self._facts.by_name)
                is_indexed = self._is_indexed and indexed.serves(connection, top, asked)
                for query in queries[start : start + _QUERIES]:
                    if is_indexed:
                        found.append(indexed.search(connection, query, top, asked))
                    else:
                        found.append(exact_search(connection, self._address.gallery, query, top, asked))
        return found

    def count(self, where: Sequence[Condition] = ()) -> int:
        """Count rows.

        Args:
            where: What each row must be like.

        Raises:
            GalleryError: A fact is not there, or a value is of another kind, or the server cannot be reached.
        """
        with self._transaction(where) as connection:
            asked, values = conditions(where, self._facts.by_name)
            text = self._statement("SELECT count(*) FROM {picture} p WHERE {asked}", asked=asked)
            row = connection.execute(text, values).fetchone()
        return int(row[0]) if row else 0

    def facts(self) -> Mapping[str, str]:
        """Return the gallery's facts and their kinds: ``"text"``, ``"number"`` or ``"bool"``."""
        with self._transaction() as connection:
            self._facts.read(connection)
        return self._facts.kinds

    def flush(self) -> None:
        """Index the vectors and the facts once there are more than `EXACT_BELOW` rows. It may take minutes."""
        if self.dimension > LARGEST_INDEXED or self.count() <= self.EXACT_BELOW:
            return
        indexed = IndexedSearch(self._address.gallery, self.dimension, self.EXACT_BELOW)
        with self._transaction(timeout=0) as connection:
            self._facts.read(connection)
            indexed.make(connection, self._facts.by_name.values())
        self._is_indexed = True

    def drop(self) -> None:
        """Remove the gallery: its schema, and all that is in it."""
        with self._transaction() as connection:
            connection.execute(self._statement("DROP SCHEMA {schema} CASCADE"))
        self.close()

    def close(self) -> None:
        """Close the connections. A closed engine is not used any more."""
        self._connections.close()

    def _statement(self, text: str, **parts: Any) -> Composed:
        return statement(text, self._address.gallery, **parts)

    def _page(self, text: str, values: list[Any]) -> list[Any]:
        with self._transaction() as connection:
            return connection.execute(self._statement(text), values, binary=True).fetchall()

    @contextmanager
    def _transaction(self, where: Sequence[Condition] = (), timeout: float | None = None) -> Iterator[Connection]:
        """Give a connection on which the gallery is the one that was opened, and conditions can be asked."""

        def begin(connection: Connection) -> None:
            self._check_same(connection)
            if any(each.fact not in self._facts.by_name for each in where):
                self._facts.read(connection)  # another process may have added it
            check_conditions(where, self._facts.kinds, self._address.shown)

        with self._connections.transaction(begin, timeout) as connection:
            yield connection

    def _check_same(self, connection: Connection) -> None:
        row = self._gallery_row(connection)
        if row[1] != self._id:
            raise self._address.error("another gallery is there now under this name; open it anew")

    def _look(self) -> None:
        """Read what the gallery is, for the first time."""
        with self._connections.transaction() as connection:
            found = self._gallery_row(connection)
            if found[0] != FORMAT:
                raise self._address.error(
                    f"the gallery is of format {found[0]}, and this tipr-zoo reads {FORMAT};"
                    f" {'upgrade tipr-zoo' if found[0] > FORMAT else 'copy it with the tipr-zoo that made it'}"
                )
            self._id, self.dimension = found[1], found[2]
            self._facts.read(connection)
            self._is_indexed = IndexedSearch(self._address.gallery, self.dimension, self.EXACT_BELOW).is_made(
                connection
            )

    def _gallery_row(self, connection: Connection) -> Any:
        """Return format, id and dimension of the gallery."""
        from psycopg import errors  # from an extra

        try:
            row = connection.execute(self._statement("SELECT format, id, dimension FROM {gallery}")).fetchone()
        except (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn):
            row = None
        if row is None:
            raise self._address.error(
                f"no gallery is there (no schema {schema_name(self._address.gallery)}); create it, or mend the name"
            )
        return row


def _server(address: str) -> tuple[ServerAddress, Connections]:
    """Read an address, and say how its server is reached."""
    place = parse_address(address, _PORT, FORM, _OPTIONS)
    check_client(place, "pgvector", "psycopg", "pgvector")
    return place, Connections(place)


def _row(key: UUID, record: str, facts: str) -> Row:
    return Row(key.hex, record, kept_facts(facts, key.hex))
