"""What YAML was parsed to, kept by the text's hash, because reading a thousand cards is nearly all YAML."""

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

_MOST_ENTRIES = 5000


class ParsedYamlCache:
    """Mappings by the text that they were parsed from.

    The key is a hash of the text itself, so that an entry is never out of date. A file that is missing, damaged or
    cannot be written costs time and nothing else.

    Args:
        file: Where it is kept: JSON, which reads a hundred times faster than YAML.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.entries = self._read()
        self._is_changed = False

    def get(self, text: str) -> dict[str, Any] | None:
        """What `text` was parsed to, a mapping of its own every time; None where that is not known."""
        with suppress(KeyError, ValueError):
            values = json.loads(self.entries[_key(text)])
            return values if isinstance(values, dict) else None
        return None

    def add(self, text: str, values: dict[str, Any]) -> None:
        """Keep what `text` was parsed to; what JSON cannot hold, such as a date, is parsed again every time."""
        with suppress(TypeError, ValueError, RecursionError):
            entry = json.dumps(values)
            if json.loads(entry) != values:  # keys that are no texts, and numbers that are not finite
                return
            self.entries[_key(text)] = entry
            if not self._is_changed:
                self._is_changed = True
                atexit.register(self.save)

    def save(self) -> None:
        """Write the newest entries to the file, whole or not at all."""
        newest = dict(list(self.entries.items())[-_MOST_ENTRIES:])
        part = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(newest), encoding="utf-8")
            part.replace(self.file)

    def _read(self) -> dict[str, str]:
        try:
            entries = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        is_right = isinstance(entries, dict) and all(isinstance(entry, str) for entry in entries.values())
        return entries if is_right else {}


@cache
def parsed_yaml_cache() -> ParsedYamlCache:
    """The cache of this process, in the cache folder."""
    return ParsedYamlCache(cache_folder() / "parsed_yaml.json")


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
