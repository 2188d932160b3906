"""The search for the table of a custom data set in a folder."""

from __future__ import annotations

from pathlib import Path

from tipr_zoo.datasets.reading.json_files import read_json
from tipr_zoo.datasets.tables.columns import has_required
from tipr_zoo.datasets.tables.rows import TABLE_SUFFIXES, read_table
from tipr_zoo.errors import DataError


def find_table(root: Path) -> Path:
    """Find the table that a user means: the file itself, or the only one in a folder.

    Raises:
        DataError: There is none, or there are several. The message lists them.
    """
    if root.is_file():
        return root
    if not root.exists():
        raise DataError(f"no file or folder at {root}; check the path")
    tables = tables_in(root)
    if not tables:
        endings = ", ".join(TABLE_SUFFIXES)
        raise DataError(f"no table in {root}; put a file there that ends in {endings}, with columns image and caption")
    if len(tables) > 1:
        names = ", ".join(table.name for table in tables)
        raise DataError(f"{root} holds several tables: {names}; name the file that is meant, e.g. {tables[0]}")
    return tables[0]


def tables_in(folder: Path) -> list[Path]:
    """List the tables of pictures and captions in a folder; if there is none, the only file that could be one."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in TABLE_SUFFIXES and path.is_file()]
    tables = [file for file in files if _is_table_of_pictures(file)]
    # "This table is broken" helps a user more than "there is no table".
    lone = [file for file in files if file.suffix.lower() != ".json" or not _is_json(file)]
    return tables or (lone if len(lone) == 1 else [])


def _is_table_of_pictures(file: Path) -> bool:
    try:
        return has_required(read_table(file).columns)
    except DataError:
        return False


def _is_json(file: Path) -> bool:
    try:
        read_json(file)
    except DataError:
        return False
    return True
