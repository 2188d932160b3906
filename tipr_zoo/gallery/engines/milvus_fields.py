"""What Milvus keeps of a row, and conditions in its words.

A condition is text to Milvus 2.3, which knows no parameters. So nothing of a user's stands in it: the name of a fact is
a hash there, and a text is hexadecimal digits, which compare as the text does. Both are digits and letters alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tipr_zoo.gallery.engines.row_checks import kept_facts
from tipr_zoo.gallery.engines.server_address import ServerAddress
from tipr_zoo.protocols import Condition, Fact, Row

PIECE = 65_535
"""Characters of the longest text of a field."""

PIECES = ("text_0", "text_1", "text_2", "text_3")
"""Fields that a row's facts and record are cut into."""

_LARGEST_FACTS = 65_000
"""Bytes of the facts of a row as filters see them; Milvus allows 65,536."""

_ORDER = {"=": "==", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def hexadecimal(text: str) -> str:
    r"""Return a text in hexadecimal digits, which compare as its code points do.

    >>> hexadecimal("b'\udcff"), hexadecimal("a") < hexadecimal("ab")
    ('6227edb3bf', True)
    """
    return text.encode("utf-8", "surrogatepass").hex()


def fact_field(name: str) -> str:
    """Return what a fact is called in a row: letters and digits alone.

    >>> fact_field('" or 1 == 1')
    'f5d4b1c57c9b6c9e2'
    """
    return f"f{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def fields_of(row: Row, vector: np.ndarray, address: ServerAddress) -> dict[str, Any]:
    """Return what is kept of a row.

    Args:
        row: The row.
        vector: (D,) float32, its vector.
        address: Where the gallery is.

    Raises:
        GalleryError: The row is too large for Milvus.
    """
    facts = {
        fact_field(name): hexadecimal(value) if isinstance(value, str) else value for name, value in row.facts.items()
    }
    text = f"{json.dumps(dict(row.facts))}\n{row.record}"
    if len(text) > PIECE * len(PIECES) or len(json.dumps(facts)) > _LARGEST_FACTS:
        raise address.error(
            f"row {row.key} is too large for Milvus; shorten its facts to {_LARGEST_FACTS // 3} characters"
        )
    pieces = {field: text[n * PIECE : (n + 1) * PIECE] for n, field in enumerate(PIECES)}
    return {"key": row.key, "vector": vector, "facts": facts, "size": len(text), **pieces}


def row_of(fields: Mapping[str, Any]) -> Row:
    """Return the row of which these fields are kept.

    Args:
        fields: Key and pieces.
    """
    facts, _, record = "".join(fields[piece] for piece in PIECES).partition("\n")
    return Row(fields["key"], record, kept_facts(facts, fields["key"]))


def keys_among(keys: Sequence[str]) -> str:
    """Return the condition that a row's key is one of these, which are hexadecimal digits."""
    return f"key in [{', '.join(map(_quoted, keys))}]"


def conditions(where: Sequence[Condition]) -> str:
    """Return conditions in Milvus' words; an empty text for none. A row without the fact never fits.

    Args:
        where: Conditions on facts that are there, of their kinds.
    """
    return " and ".join(f"({_condition(each)})" for each in where)


def _condition(each: Condition) -> str:
    field, value = f'facts["{fact_field(each.fact)}"]', _value(each.value)
    if each.comparison != "!=":
        return f"{field} {_ORDER[each.comparison]} {value}"
    if isinstance(each.value, bool):
        return f"{field} == {_value(not each.value)}"
    return f"{field} < {value} or {field} > {value}"  # != would be true of rows without the fact


def _value(value: Fact) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(hexadecimal(value))
    return repr(value)


def _quoted(text: str) -> str:
    if not text.isalnum() and text:
        raise ValueError("only letters and digits may stand in a condition")  # a lock behind the lock
    return f'"{text}"'
