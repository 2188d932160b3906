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

_SHARD = re.compile(r"-([0-9]{5})-of-([0-9]{5})$")
_MOST_SHARDS = 10_000

Tables = dict[str | None, Path]
"""Tables by the word for their split, with the number of one among several. None is for a table of all splits."""


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
    return _checked_shards(tables) or (lone if len(lone) == 1 else [])


def without_shard(name: str) -> str:
    """Return a name without the number of a file among several, as in ``train-00000-of-00003``.

    >>> without_shard("train-00000-of-00003"), without_shard("train")
    ('train', 'train')
    """
    return _SHARD.sub("", name)


def _checked_shards(tables: list[Path]) -> list[Path]:
    """Return the tables, if none of several files of one table is missing.

    Raises:
        DataError: One is.
    """
    there = {table.name for table in tables}
    for table in tables:
        if (shard := _SHARD.search(table.stem)) is None:
            continue
        base, count = without_shard(table.stem), shard[2]
        for number in range(min(int(count), _MOST_SHARDS)):
            if (name := f"{base}-{number:05}-of-{count}{table.suffix}") not in there:
                raise DataError(f"{table.parent} lacks {name}, one of {int(count):,} files of a table; copy it there")
    return tables


def _tables_below(root: Path) -> Tables:
    """Find the table in each folder that is named after a split, as in ``train/metadata.csv``; or those in ``data/``.

    Hugging Face's data sets have ``data/train-00000-of-00003.parquet``.
    """
    if (root / "data").is_dir() and (tables := tables_in(root / "data")):
        return _by_split({table: table.stem for table in tables})
    folders = [path for path in sorted(root.iterdir()) if split_of(path.name) and path.is_dir()]
    of_folder = {folder: tables_in(folder) for folder in folders}
    if any(len(found) > 1 for found in of_folder.values()):
        return {}
    return _by_split({found[0]: folder.name for folder, found in of_folder.items() if found})


def _by_split(names: dict[Path, str]) -> Tables:
    """Return tables by the word in each name that tells the split; nothing if one has none, or two have the same split.

    ``query`` and ``gallery`` may both be there.
    """
    found: dict[str, dict[str, Path]] = {}
    for table, name in names.items():
        base, shard = without_shard(name), name[len(without_shard(name)) :]
        words = [word.casefold() for word in re.split(r"[-_. ]", base) if split_of(word)]
        if len(words) != 1 or shard in found.get(words[0], {}):
            return {}
        found.setdefault(words[0], {})[shard] = table
    splits = [split_of(word) for word in found if word not in VIEWS_OF_TEST]
    if len(set(splits)) < len(splits):
        return {}
    order = [word for split in SPLITS for word, of in SPLIT_WORDS.items() if of == split]
    return {f"{word}{shard}": found[word][shard] for word in order for shard in sorted(found.get(word, ()))}


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
