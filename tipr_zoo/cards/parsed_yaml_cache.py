"""A cache of parsed YAML. Its keys are the texts. It also keeps whether a text was right.

Most of the time of reading a thousand cards goes into YAML. Importing pydantic takes longer than the rest of listing.
"""

from __future__ import annotations

import atexit
import json
import os
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.machine.whole_file import remove_parts, write_whole
from tipr_zoo.outside.files import CACHE_LIMIT, read_text
from tipr_zoo.outside.parsing import parse_json
from tipr_zoo.version import __version__

_MOST_ENTRIES = 5000

_Entry = tuple[str, str, str, int]
"""The file of a text, its mapping as JSON, the mark of what is right, and the checksum of text, mapping and mark."""

_NO_ENTRY: _Entry = ("", "", "", -1)


class ParsedYamlCache:
    """Mappings by the text that they were parsed from, with the schemas by which they are right.

    The key is the text, so an entry is never out of date. An entry that was changed is not believed, since its checksum
    covers all of it. An entry is dropped once its file is gone, so a plugin leaves nothing behind. A cache that is
    missing, damaged or cannot be written costs only time.

    Args:
        file: The file of the cache. It is JSON, which reads a hundred times faster than YAML.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._is_changed = False
        self.entries = self._read()

    def get(self, text: str) -> dict[str, Any] | None:
        """Return the mapping that `text` was parsed to, a new one every time. None where it is not known."""
        _, entry, mark, checksum = self.entries.get(text, _NO_ENTRY)
        if checksum != _checksum(text, entry, mark):
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
            self.entries[text] = (str(source.absolute()), entry, "", _checksum(text, entry, ""))
            self._save_at_exit()

    def is_right(self, text: str, schema: str) -> bool:
        """Tell whether a text is known to be right by a schema.

        Args:
            text: The text.
            schema: Name of the schema.
        """
        _, entry, mark, checksum = self.entries.get(text, _NO_ENTRY)
        return mark == _mark(schema) and checksum == _checksum(text, entry, mark)

    def keep_right(self, text: str, schema: str) -> None:
        """Keep that `text` is right by a schema. Do nothing where its mapping is not kept."""
        if (known := self.entries.get(text)) is not None:
            source, entry, _, _ = known
            mark = _mark(schema)
            self.entries[text] = (source, entry, mark, _checksum(text, entry, mark))
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
            entries: dict[str, _Entry] = {text: _entry(*parts) for text, parts in read.items()}
            kept = {text: entry for text, entry in entries.items() if os.path.exists(entry[0])}
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
    # Not `parsed_yaml.json`, `checked_yaml.json` or `summed_yaml.json`: the entries of those had other parts.
    return ParsedYamlCache(cache_folder() / "yaml_by_text.json")


def _entry(source: str, mapping: str, mark: str, checksum: int) -> _Entry:
    return source, mapping, mark, checksum


def _checksum(text: str, entry: str, mark: str) -> int:
    # No hash of hashlib: it loads OpenSSL, which takes longer than reading all of the cache.
    return zlib.crc32("\0".join((text, entry, mark)).encode(errors="surrogatepass"))


def _mark(schema: str) -> str:
    """Return the mark of what is right by a schema. It differs for every state of the schemas."""
    return f"{schema} {_state_of_schemas()}"


@cache
def _state_of_schemas() -> str:
    """Return what differs once a file of the schemas was written: its size or its time."""
    rooms = (Path(__file__).parent, Path(__file__).parents[1] / "schemas")
    files = sorted((file.name, file.stat()) for room in rooms for file in os.scandir(room) if file.name.endswith(".py"))
    state = [(name, status.st_size, status.st_mtime_ns) for name, status in files]
    return f"{__version__} {zlib.crc32(repr(state).encode()):08x}"
