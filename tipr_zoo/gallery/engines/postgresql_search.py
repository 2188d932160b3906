"""The two ways to the nearest vectors in PostgreSQL: comparing every one, and an index whose proposals are compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tipr_zoo.gallery.engines.postgresql_tables import FactColumn, schema_name, statement

if TYPE_CHECKING:
    from psycopg.sql import Composed

    from tipr_zoo.gallery.engines.postgresql_connections import Connection

    Asked = tuple[Composed, list[Any]]

INDEX = "vector_codes"
"""Name of the index on the vectors."""

PROPOSED = 4
"""How many times as many rows as are asked for the index proposes."""

WIDTH = 800
"""Rows that the index keeps in sight on its way (pgvector's ``hnsw.ef_search``), which is at most 1000."""

MOST_PROPOSED = 1000
"""Proposals above which comparing every vector is as fast."""


def exact_search(
    connection: Connection, gallery: str, query: np.ndarray, top: int, asked: Asked
) -> list[tuple[str, float]]:
    """Compare every vector that fits.

    Args:
        connection: Inside a transaction.
        gallery: The gallery's name.
        query: (D,) float32.
        top: How many rows.
        asked: What each must be like, and the parameters of that.
    """
    joined = "JOIN {picture} p USING (key)" if asked[1] else ""
    text = f"""
        SELECT v.key, -(v.vector <#> %s) FROM {{vector}} v {joined} WHERE {{asked}}
        ORDER BY v.vector <#> %s, v.key LIMIT %s"""
    return _hits(connection, statement(text, gallery, asked=asked[0]), [query, *asked[1], query, top])


class IndexedSearch:
    """Finds the nearest with an index on float16, and ranks what it proposes by the float32 vectors.

    Args:
        gallery: The gallery's name.
        dimension: Numbers of each vector.
        exact_below: Rows up to which every vector is compared instead.
    """

    def __init__(self, gallery: str, dimension: int, exact_below: int) -> None:
        self.gallery, self.dimension, self.exact_below = gallery, dimension, exact_below

    def is_made(self, connection: Connection) -> bool:
        """Tell whether there is a whole index.

        Args:
            connection: Inside a transaction.
        """
        text = """
            SELECT 1 FROM pg_index i
            JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relname = %s AND i.indisvalid"""
        return connection.execute(text, [schema_name(self.gallery), INDEX]).fetchone() is not None

    def make(self, connection: Connection, columns: Iterable[FactColumn]) -> None:
        """Make the index on the vectors, and one on each fact, unless they are there.

        Args:
            connection: Inside a transaction.
            columns: Where facts are kept.
        """
        from psycopg import sql  # from an extra

        # Without this the build takes many times as long as soon as the graph has outgrown the server's default.
        connection.execute("SELECT set_config('maintenance_work_mem', '2GB', true)")
        # Several workers would need as much shared memory, of which a container has 64 MB by default.
        connection.execute("SELECT set_config('max_parallel_maintenance_workers', '0', true)")
        text = """
            CREATE INDEX IF NOT EXISTS {index} ON {vector} USING hnsw
            ((vector::halfvec({dimension})) halfvec_ip_ops) WITH (m = 16, ef_construction = 128)"""
        connection.execute(statement(text, self.gallery, index=sql.Identifier(INDEX), dimension=self.dimension))
        for column in columns:
            # A text may be longer than an ordered index takes; a hash index answers = alone.
            kind = "hash" if column.kind == "text" else "btree"
            text = f"CREATE INDEX IF NOT EXISTS {{index}} ON {{picture}} USING {kind} ({{column}})"
            names = {"index": sql.Identifier(f"{column.name}_index"), "column": sql.Identifier(column.name)}
            connection.execute(statement(text, self.gallery, **names))
        connection.execute(statement("ANALYZE {picture}", self.gallery))
        connection.execute(statement("ANALYZE {vector}", self.gallery))

    def serves(self, connection: Connection, top: int, asked: Asked) -> bool:
        """Tell whether the index is of use: not for many hits, and not where a filter leaves few rows.

        Args:
            connection: Inside a transaction.
            top: How many rows are asked for.
            asked: What each must be like, and the parameters of that.
        """
        if top * PROPOSED > MOST_PROPOSED:
            return False
        if not asked[1]:
            return True
        text = "SELECT count(*) FROM (SELECT FROM {picture} p WHERE {asked} LIMIT %s) fitting"
        limit = self.exact_below + 1
        row = connection.execute(statement(text, self.gallery, asked=asked[0]), [*asked[1], limit]).fetchone()
        return row is not None and row[0] > self.exact_below

    def search(self, connection: Connection, query: np.ndarray, top: int, asked: Asked) -> list[tuple[str, float]]:
        """Rank what the index proposes; compare every vector where it proposes too few.

        Args:
            connection: Inside a transaction.
            query: (D,) float32.
            top: How many rows.
            asked: What each must be like, and the parameters of that.
        """
        proposed = max(top * PROPOSED, 100)
        self._prepare(connection)
        found = _hits(connection, self.statement(asked), [*asked[1], query, proposed, query, query, top])
        if len(found) < top:
            connection.execute("SELECT set_config('enable_sort', 'on', true), set_config('enable_seqscan', 'on', true)")
            return exact_search(connection, self.gallery, query, top, asked)
        return found

    def statement(self, asked: Asked) -> Composed:
        """Return the statement; its parameters are those of `asked`, query, proposals, query, query, top.

        Args:
            asked: What each row must be like, and the parameters of that.
        """
        joined = "JOIN {picture} p USING (key)" if asked[1] else ""
        text = f"""
            WITH near AS MATERIALIZED (
                SELECT v.key, v.vector FROM {{vector}} v {joined} WHERE {{asked}}
                ORDER BY v.vector::halfvec({{dimension}}) <#> %s::halfvec({{dimension}}) LIMIT %s
            )
            SELECT key, -(vector <#> %s) FROM near ORDER BY vector <#> %s, key LIMIT %s"""
        return statement(text, self.gallery, asked=asked[0], dimension=self.dimension)

    def _prepare(self, connection: Connection) -> None:
        """Let the planner take the index, and the index go on until enough rows fit, for this transaction."""
        settings = {
            "hnsw.ef_search": str(WIDTH),
            "hnsw.iterative_scan": "relaxed_order",
            "hnsw.max_scan_tuples": str(10 * self.exact_below),
            "enable_seqscan": "off",
            "enable_sort": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
        }
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])


def _hits(connection: Connection, text: Composed, values: list[Any]) -> list[tuple[str, float]]:
    return [(key.hex, float(score)) for key, score in connection.execute(text, values).fetchall()]
