"""Columns of facts of a gallery in PostgreSQL: one for each fact, called by a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tipr_zoo.gallery.engines.postgresql_tables import COLUMN_TYPES, FactColumn, kept_text, statement
from tipr_zoo.gallery.engines.row_checks import check_rows
from tipr_zoo.gallery.engines.server_address import ServerAddress
from tipr_zoo.protocols import Row

if TYPE_CHECKING:
    from psycopg.sql import Composed

    from tipr_zoo.gallery.engines.postgresql_connections import Connection


class FactColumns:
    """What a gallery knows of its facts.

    Args:
        address: Where the gallery is.

    Attributes:
        by_name: The columns, as they were read last.
    """

    def __init__(self, address: ServerAddress) -> None:
        self._address = address
        self.by_name: dict[str, FactColumn] = {}

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds of the facts by name."""
        return {name: column.kind for name, column in self.by_name.items()}

    def read(self, connection: Connection) -> None:
        """Read which there are.

        Args:
            connection: Within a transaction.
        """
        self.by_name = self._there(connection)

    def made_for(self, connection: Connection, rows: Sequence[Row]) -> dict[str, FactColumn]:
        """Check rows, and return all columns that there are once those of their new facts are made.

        Args:
            connection: Within a transaction; once that is committed, these are `by_name`.
            rows: The rows.

        Raises:
            GalleryError: The rows do not fit the gallery.
        """
        if check_rows(rows, self.kinds, self._address.shown):
            # The gallery's one row is the lock: two writers might have the same new fact.
            connection.execute(self._statement("SELECT 1 FROM {gallery} FOR UPDATE"))
        else:
            # Until the end nobody adds a column, whose old value in a row that is replaced would stay.
            connection.execute(self._statement("LOCK TABLE {picture} IN ROW EXCLUSIVE MODE"))
        columns = self._there(connection)
        kinds = {name: column.kind for name, column in columns.items()}
        for name, kind in check_rows(rows, kinds, self._address.shown).items():
            columns[name] = self._new(connection, name, kind)
        return columns

    def insertion(self, names: Sequence[str], columns: Mapping[str, FactColumn]) -> Composed:
        """Return what inserts or replaces a picture with these facts; those that it had besides become NULL.

        Args:
            names: Of the facts that are given.
            columns: All that there are.
        """
        from psycopg import sql  # from an extra

        given = [sql.Identifier(columns[name].name) for name in names]
        inserted = [sql.Identifier("key"), sql.Identifier("record"), sql.Identifier("facts"), *given]
        every = [sql.Identifier(column.name) for column in columns.values()]
        changed = [sql.SQL("{0} = excluded.{0}").format(column) for column in [*inserted[1:3], *every]]
        return self._statement(
            "INSERT INTO {picture} ({columns}) VALUES ({values}) ON CONFLICT (key) DO UPDATE SET {changed}",
            columns=sql.SQL(", ").join(inserted),
            values=sql.SQL(", ").join([sql.Placeholder()] * len(inserted)),
            changed=sql.SQL(", ").join(changed),
        )

    def _there(self, connection: Connection) -> dict[str, FactColumn]:
        found = connection.execute(self._statement("SELECT name, number, kind FROM {fact} ORDER BY number")).fetchall()
        return {bytes(name).decode("utf-8", "surrogatepass"): FactColumn(number, kind) for name, number, kind in found}

    def _new(self, connection: Connection, name: str, kind: str) -> FactColumn:
        from psycopg import sql  # from an extra

        text = "INSERT INTO {fact} (name, kind) VALUES (%s, %s) RETURNING number"
        row = connection.execute(self._statement(text), [kept_text(name), kind]).fetchone()
        column = FactColumn(row[0] if row else 0, kind)
        text = "ALTER TABLE {picture} ADD COLUMN {column} {type}"
        parts = {"column": sql.Identifier(column.name), "type": sql.SQL(COLUMN_TYPES[kind])}
        connection.execute(self._statement(text, **parts))
        return column

    def _statement(self, text: str, **parts: Any) -> Composed:
        return statement(text, self._address.gallery, **parts)
