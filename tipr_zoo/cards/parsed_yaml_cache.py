"""A cache of parsed YAML. Its keys are hashes of the texts. It also keeps whether a text was right.

Most of the time of reading a thousand cards goes into YAML. Importing pydantic takes longer than the rest of listing.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.machine.whole_file import remove_parts, write_whole
from tipr_zoo.outside.files import CACHE_LIMIT, read_text
from tipr_zoo.outside.parsing import parse_json

_MOST_ENTRIES = 5000

_Entry = tuple[str, str, str, str]
"""The file of a text, its mapping as JSON, the checksum of both key and mapping, and the mark of what is right."""

_NO_ENTRY: _Entry = ("", "", "", "")


class ParsedYamlCache:
    """Mappings by the text that they were parsed from, with the schemas by which they are right.

    The key is a hash of the text, so an entry is never out of date. An entry that was changed is not believed, since
    its checksum covers key and mapping. An entry is dropped once its file is gone, so a
    plugin leaves nothing behind. A cache that is missing, damaged or cannot be written costs only time.

    Args:
        file: The file of the cache. It is JSON, which reads a hundred times faster than YAML.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._is_changed = False
        self.entries = self._read()

    def get(self, text: str) -> dict[str, Any] | None:
        """Return the mapping that `text` was parsed to, a new one every time. None where it is not known."""
        key = _key(text)
        _, entry, checksum, _ = self.entries.get(key, _NO_ENTRY)
        if checksum != _checksum(key, entry):
            return None
        with suppress(ValueError):
            values = json.loads(entry)
            return values if isinstance(values, dict) else None
        return None

    def add(self, text: str, values: dict[str, Any], source: Path) -> None:
        """Keep the mapping that a text was parsed to.

        A mapping that JSON cannot hold, e.g. with a date, is not kept. Its text is parsed again every time.

        Args:
            text: The YAML.
            values: The mapping.
            source: The file that the text was read from.
        """
        with suppress(TypeError, ValueError, RecursionError):
            entry = json.dumps(values)
            if json.loads(entry) != values:  # e.g. keys that are no texts, or numbers that are not finite
                return
            key = _key(text)
            self.entries[key] = (str(source.absolute()), entry, _checksum(key, entry), "")
            self._save_at_exit()

    def is_right(self, text: str, schema: str) -> bool:
        """Tell whether a text is known to be right by a schema.

        Args:
            text: The text.
            schema: Name of the schema.
        """
        key = _key(text)
        _, entry, _, mark = self.entries.get(key, _NO_ENTRY)
        return mark != "" and mark == _mark(key, entry, schema)

    def keep_right(self, text: str, schema: str) -> None:
        """Keep that `text` is right by a schema. Do nothing where its mapping is not kept."""
        key = _key(text)
        if (known := self.entries.get(key)) is not None:
            source, entry, checksum, _ = known
            self.entries[key] = (source, entry, checksum, _mark(key, entry, schema))
            self._save_at_exit()

    def save(self) -> None:
        """Write the newest entries to the file, whole or not at all."""
        newest = dict(list(self.entries.items())[-_MOST_ENTRIES:])
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            remove_parts(self.file.parent)
            write_whole(self.file, json.dumps(newest).encode(), must_last=False)

    def _read(self) -> dict[str, _Entry]:
        try:
            read = parse_json(read_text(self.file, CACHE_LIMIT))
            entries: dict[str, _Entry] = {key: _entry(*parts) for key, parts in read.items()}
            kept = {key: value for key, value in entries.items() if os.path.exists(value[0])}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}
        if len(kept) < len(entries):
            self._save_at_exit()
        return kept

    def _save_at_exit(self) -> None:
        if not self._is_changed:
            self._is_changed = True
            atexit.register(self._save_uninterrupted)

    def _save_uninterrupted(self) -> None:
        with suppress(KeyboardInterrupt):  # the command is done, and nothing is left to interrupt
            self.save()


@cache
def parsed_yaml_cache() -> ParsedYamlCache:
    """Return the cache of this process, a file in the cache folder."""
    # Not `parsed_yaml.json` or `checked_yaml.json`: the entries of those had fewer parts.
    return ParsedYamlCache(cache_folder() / "summed_yaml.json")


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _entry(source: str, mapping: str, checksum: str, mark: str) -> _Entry:
    return source, mapping, checksum, mark


def _checksum(key: str, entry: str) -> str:
    return hashlib.sha256(f"{key} {entry}".encode()).hexdigest()


def _mark(key: str, entry: str, schema: str) -> str:
    """Return the mark of an entry that is right. It differs for every entry and every state of the schemas."""
    return hashlib.sha256(f"{_state_of_schemas()} {schema} {key} {entry}".encode()).hexdigest()


@cache
def _state_of_schemas() -> str:
    """Return a hash of the code of the schemas."""
    rooms = (Path(__file__).parent, Path(__file__).parents[1] / "schemas")
    files = (file for room in rooms for file in sorted(room.glob("*.py")))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
