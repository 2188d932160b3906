"""The search for the tables of a custom data set in a folder."""

from __future__ import annotations

import re
from pathlib import Path

from tipr_zoo.datasets.reading.json_files import read_json
from tipr_zoo.datasets.reading.words import SPLIT_WORDS, VIEWS_OF_TEST, split_of
from tipr_zoo.datasets.splits import SPLITS
from tipr_zoo.datasets.tables.columns import has_required
from tipr_zoo.datasets.tables.rows import TABLE_SUFFIXES, read_table
from tipr_zoo.datasets.tables.text_files import has_text_files
from tipr_zoo.errors import DataError

Tables = dict[str | None, Path]
"""Tables by the word for their split. None is that of a table that holds all splits."""


def find_tables(root: Path) -> Tables:
    """Find the tables that a user means: the file itself, the only one in a folder, or one for each split.

    Without a table, a folder of pictures with a text file beside each is one.

    Raises:
        DataError: There is none, or there are several that are not one a split. The message lists them.
    """
    if root.is_file():
        return {None: root}
    if not root.exists():
        raise DataError(f"no file or folder at {root}; check the path")
    tables = tables_in(root)
    if (by_split := _by_split({table: table.stem for table in tables})) and len(tables) > 1:
        return by_split
    if len(tables) > 1:
        names = ", ".join(table.name for table in tables)
        raise DataError(f"{root} holds several tables: {names}; name the file that is meant, e.g. {tables[0]}")
    if tables:
        return {None: tables[0]}
    if below := _tables_below(root):
        return below
    if has_text_files(root):
        return {None: root}
    endings = ", ".join(TABLE_SUFFIXES)
    raise DataError(f"no table in {root}; put a file there that ends in {endings}, with columns image and caption")


def has_tables(root: Path, text_files: bool = True) -> bool:
    """Return whether a folder holds what `find_tables` finds, or several tables.

    Args:
        root: The folder.
        text_files: Count a folder of pictures with text files as one. Every folder below it is searched for that.
    """
    return bool(tables_in(root) or _tables_below(root) or (text_files and has_text_files(root)))


def tables_in(folder: Path) -> list[Path]:
    """List the tables of pictures and captions in a folder; if there is none, the only file that could be one."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in TABLE_SUFFIXES and path.is_file()]
    tables = [file for file in files if _is_table_of_pictures(file)]
    # "This table is broken" helps a user more than "there is no table".
    lone = [file for file in files if file.suffix.lower() != ".json" or not _is_json(file)]
    return tables or (lone if len(lone) == 1 else [])


def _tables_below(root: Path) -> Tables:
    """Find the table in each folder that is named after a split, as in ``train/metadata.csv``."""
    folders = [path for path in sorted(root.iterdir()) if split_of(path.name) and path.is_dir()]
    tables = {folder: tables_in(folder) for folder in folders}
    if any(len(found) > 1 for found in tables.values()):
        return {}
    return _by_split({found[0]: folder.name for folder, found in tables.items() if found})


def _by_split(names: dict[Path, str]) -> Tables:
    """Return tables by the word in each name that tells the split; nothing if one has none, or two have the same split.

    ``query`` and ``gallery`` may both be there.
    """
    found: Tables = {}
    for table, name in names.items():
        words = [word.casefold() for word in re.split(r"[-_. ]", name) if split_of(word)]
        if len(words) != 1 or words[0] in found:
            return {}
        found[words[0]] = table
    splits = [split_of(word) for word in found if word and word not in VIEWS_OF_TEST]
    if len(set(splits)) < len(splits):
        return {}
    order = [word for split in SPLITS for word, of in SPLIT_WORDS.items() if of == split]
    return {word: found[word] for word in order if word in found}


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
