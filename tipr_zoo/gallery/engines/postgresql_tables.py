"""The tables of a gallery in PostgreSQL, each in the gallery's own schema, and conditions on their columns.

Facts and values never stand in a statement: they are its parameters, and a fact's column has a number for a name. The
one name that does is the gallery's, which is letters, digits and _ alone, and quoted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tipr_zoo.protocols import Condition, Fact

if TYPE_CHECKING:
    from psycopg.sql import Composed

FORMAT = 1
"""The version of the tables."""

COLUMN_TYPES = {"text": "bytea", "number": "numeric", "bool": "boolean"}
"""What facts are kept as. Bytes compare by code points and hold any text; numeric is exact for integers and floats."""

LARGEST_INLINE = 1600
"""Numbers of a vector that still lies in one page of 8 KiB beside its key, instead of in pieces elsewhere."""

LARGEST_INDEXED = 4000
"""Numbers of a vector that an index on float16 takes."""

_CREATE = """
CREATE SCHEMA {schema};
CREATE TABLE {gallery} (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    format integer NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    dimension integer NOT NULL,
    header text NOT NULL
);
CREATE TABLE {fact} (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name bytea NOT NULL UNIQUE,
    kind text NOT NULL
);
CREATE TABLE {picture} (key uuid PRIMARY KEY, record text NOT NULL, facts text NOT NULL);
CREATE TABLE {vector} (
    key uuid PRIMARY KEY REFERENCES {picture} ON DELETE CASCADE,
    vector vector({dimension}) NOT NULL
) WITH (toast_tuple_target = 8160);
"""


@dataclass(frozen=True)
class FactColumn:
    """Where a fact is kept.

    Attributes:
        number: The number in its column's name.
        kind: ``"text"``, ``"number"`` or ``"bool"``.
    """

    number: int
    kind: str

    @property
    def name(self) -> str:
        """The column's name."""
        return f"fact_{self.number}"


def schema_name(gallery: str) -> str:
    """Return the name of a gallery's schema."""
    return f"tipr_zoo_{gallery}"


def statement(text: str, gallery: str, **parts: Any) -> Composed:
    """Fill the names of a gallery's tables, and further parts that are no values, into a statement.

    Args:
        text: The statement, with ``{schema}``, ``{gallery}``, ``{fact}``, ``{picture}`` and ``{vector}`` in it.
        gallery: The gallery's name.
        **parts: Further parts by name: numbers, or what psycopg composed.
    """
    from psycopg import sql  # from an extra

    schema = schema_name(gallery)
    tables = {name: sql.Identifier(schema, name) for name in ("gallery", "fact", "picture", "vector")}
    filled = {
        name: part if isinstance(part, sql.Composable) else sql.Literal(int(part)) for name, part in parts.items()
    }
    return sql.SQL(text).format(schema=sql.Identifier(schema), **tables, **filled)


def create_statement(gallery: str, dimension: int) -> Composed:
    """Return what makes schema and tables.

    Args:
        gallery: The gallery's name.
        dimension: Numbers of each vector.
    """
    inline = "ALTER TABLE {vector} ALTER COLUMN vector SET STORAGE PLAIN;" if dimension <= LARGEST_INLINE else ""
    return statement(_CREATE + inline, gallery, dimension=dimension)


def kept_text(text: str) -> bytes:
    r"""Return the bytes that a text is kept as: any text, in the order of code points.

    >>> kept_text("\x00\udcff") < kept_text("\U0001f600")
    True
    """
    return text.encode("utf-8", "surrogatepass")


def kept_fact(value: Fact) -> bytes | Decimal | bool:
    """Return what a fact's value is kept as, and compared with.

    >>> kept_fact(0.5), kept_fact(True), kept_fact("red")
    (Decimal('0.5'), True, b'red')
    """
    if isinstance(value, bool):
        return value
    return kept_text(value) if isinstance(value, str) else Decimal(value)


def conditions(where: Sequence[Condition], columns: Mapping[str, FactColumn]) -> tuple[Composed, list[Any]]:
    """Return the part of a statement that follows ``WHERE``, and its parameters. A row without the fact never fits.

    Args:
        where: Conditions on facts that are there, of their kinds.
        columns: The facts' columns.
    """
    from psycopg import sql  # from an extra

    asked: list[sql.Composable] = [
        sql.SQL(f"p.{{}} {'<>' if each.comparison == '!=' else each.comparison} %s").format(
            sql.Identifier(columns[each.fact].name)
        )
        for each in where
    ]
    return sql.SQL(" AND ").join(asked or [sql.SQL("true")]), [kept_fact(each.value) for each in where]
