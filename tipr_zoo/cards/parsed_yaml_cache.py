"""What YAML was parsed to and whether it was right, kept by the text's hash.

Reading a thousand cards is nearly all YAML, and importing pydantic takes longer than all else that listing does.
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

_MOST_ENTRIES = 5000


class ParsedYamlCache:
    """Mappings by the text that they were parsed from, and the schemas by which they are right.

    The key is a hash of the text itself, so that an entry is never out of date. An entry is forgotten once the file
    that the text was read from is gone, so that a plugin leaves nothing behind. A cache that is missing, damaged or
    cannot be written costs time and nothing else.

    Args:
        file: Where it is kept: JSON, which reads a hundred times faster than YAML.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._is_changed = False
        self.entries = self._read()

    def get(self, text: str) -> dict[str, Any] | None:
        """What `text` was parsed to, a mapping of its own every time; None where that is not known."""
        with suppress(KeyError, ValueError):
            values = json.loads(self.entries[_key(text)][1])
            return values if isinstance(values, dict) else None
        return None

    def add(self, text: str, values: dict[str, Any], source: Path) -> None:
        """Keep what `text`, read from the file `source`, was parsed to.

        What JSON cannot hold, such as a date, is parsed again every time.
        """
        with suppress(TypeError, ValueError, RecursionError):
            entry = json.dumps(values)
            if json.loads(entry) != values:  # keys that are no texts, and numbers that are not finite
                return
            self.entries[_key(text)] = (str(source.absolute()), entry, "")
            self._save_at_exit()

    def is_right(self, text: str, schema: str) -> bool:
        """Whether the mapping that `text` was parsed to was found to be what a schema asks for.

        Args:
            text: The text.
            schema: Name of the schema.
        """
        _, entry, mark = self.entries.get(_key(text), ("", "", ""))
        return mark != "" and mark == _mark(entry, schema)

    def keep_right(self, text: str, schema: str) -> None:
        """Keep that `text`, if what it was parsed to is kept, is what a schema asks for."""
        if (known := self.entries.get(_key(text))) is not None:
            source, entry, _ = known
            self.entries[_key(text)] = (source, entry, _mark(entry, schema))
            self._save_at_exit()

    def save(self) -> None:
        """Write the newest entries to the file, whole or not at all."""
        newest = dict(list(self.entries.items())[-_MOST_ENTRIES:])
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            remove_parts(self.file.parent)
            write_whole(self.file, json.dumps(newest).encode(), must_last=False)

    def _read(self) -> dict[str, tuple[str, str, str]]:
        try:
            read = json.loads(self.file.read_bytes())
            entries = {key: (source, entry, mark) for key, (source, entry, mark) in read.items()}
            kept = {key: value for key, value in entries.items() if os.path.exists(value[0])}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}
        if len(kept) < len(entries):
            self._save_at_exit()
        return kept

    def _save_at_exit(self) -> None:
        if not self._is_changed:
            self._is_changed = True
            atexit.register(self.save)


@cache
def parsed_yaml_cache() -> ParsedYamlCache:
    """The cache of this process, in the cache folder; not in `parsed_yaml.json`, whose entries had no third part."""
    return ParsedYamlCache(cache_folder() / "checked_yaml.json")


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _mark(entry: str, schema: str) -> str:
    """What stands beside an entry that is right; of another entry, and by another state of the schemas, it differs."""
    return hashlib.sha256(f"{_state_of_schemas()} {schema} {entry}".encode()).hexdigest()


@cache
def _state_of_schemas() -> str:
    """A hash of the code that says what is right."""
    rooms = (Path(__file__).parent, Path(__file__).parents[1] / "schemas")
    files = (file for room in rooms for file in sorted(room.glob("*.py")))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
