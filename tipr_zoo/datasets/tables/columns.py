"""The columns of somebody's own table, and what each of them says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.datasets.reading.words import stripped
from tipr_zoo.errors import DataError

COLUMNS = {
    "image": (
        "image",
        "image_path",
        "image_name",
        "img",
        "img_path",
        "picture",
        "picture_path",
        "photo",
        "path",
        "file",
        "file_path",
        "filename",
        "file_name",
    ),
    "caption": ("caption", "captions", "text", "sentence", "sentences", "description", "comment"),
    "identity": ("identity", "identity_id", "id", "person", "person_id", "pid"),
    "split": ("split", "subset", "partition"),
}
"""Spellings of each column, in any case, with blanks or hyphens for underscores. Image and caption are required."""

REQUIRED = ("image", "caption")


@dataclass(frozen=True)
class Columns:
    """The columns of one table.

    Attributes:
        names: The table's column for each field of `COLUMNS`, if it has one.
        unknown: Columns of no field. They are not read.
    """

    names: dict[str, str]
    unknown: tuple[str, ...]


def match_columns(file: Path, present: Iterable[str]) -> Columns:
    """Match a table's columns with the fields of `COLUMNS`.

    Args:
        file: The table, for messages.
        present: Its columns as written.

    Raises:
        DataError: A required column is missing, or two columns could be one field.
    """
    names: dict[str, str] = {}
    unknown: list[str] = []
    for column in present:
        field = field_of(column)
        if field is None:
            unknown.append(column)
        elif field in names:
            raise DataError(
                f"{file} has two columns for the {field}: {names[field]!r} and {column!r}; remove or rename one"
            )
        else:
            names[field] = column
    for field in REQUIRED:
        if field not in names:
            raise _missing_column(file, field, unknown, [*names.values(), *unknown])
    return Columns(names, tuple(unknown))


def field_of(column: str) -> str | None:
    """Return the field of `COLUMNS` that a column's name spells; None if it spells none.

    >>> field_of("Image Path"), field_of("weather")
    ('image', None)
    """
    folded = re.sub(r"[\s-]+", "_", stripped(column)).casefold()
    return next((field for field, spellings in COLUMNS.items() if folded in spellings), None)


def has_required(columns: Iterable[str]) -> bool:
    """Return whether these columns make a table of pictures and captions."""
    return set(REQUIRED) <= {field_of(column) for column in columns}


def _missing_column(file: Path, field: str, unknown: list[str], present: list[str]) -> DataError:
    spellings = COLUMNS[field]
    for column in unknown:
        suggestion = str(unknown_name("column", column, spellings))
        if "did you mean" in suggestion:
            return DataError(f"{file} has no column for the {field}: {suggestion}")
    shown = ", ".join(map(repr, present[:12])) or "none"
    return DataError(
        f"{file} has no column for the {field}; its columns are {shown}: name one of them {spellings[0]!r}"
        f" (also read: {', '.join(spellings[1:])})"
    )
