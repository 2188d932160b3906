"""Reading a card's front matter field by field; every error names the file, the field and the fix."""

from __future__ import annotations

import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from tipr_zoo.cards.parsed_yaml_cache import parsed_yaml_cache
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import CardError


class Fields:
    """One mapping of the front matter, with the place it stands at.

    Args:
        values: The mapping.
        path: The card's file.
        place: Dotted name of the mapping inside the front matter, empty for the front matter itself.
    """

    def __init__(self, values: dict[str, Any], path: Path, place: str = "") -> None:
        self.values, self.path, self.place = values, path, place

    def error(self, message: str) -> CardError:
        """The error that says `message` of this mapping."""
        return CardError(f"{self.path}: {self.place + ': ' if self.place else ''}{message}")

    def allow(self, known: Collection[str]) -> None:
        """Raise if a field is none of `known`."""
        for key in self.values:
            if key not in known:
                raise self.error(str(unknown_name("field", str(key), known)))

    def text(self, key: str) -> str:
        """A field that must hold text."""
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"field {key!r} is missing" if value is None else f"{key!r} must be text, got {value!r}")
        return value

    def optional_text(self, key: str) -> str | None:
        """A field that holds text, or is null or left out."""
        return None if self.values.get(key) is None else self.text(key)

    def texts(self, key: str) -> tuple[str, ...]:
        """A field that must hold a list of texts."""
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(f"field {key!r} must be a list of texts, got {value!r}")
        return tuple(value)

    def optional_truth(self, key: str) -> bool | None:
        """A field that holds true or false, or is null or left out."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.error(f"{key!r} must be true, false or null, got {value!r}")
        return value

    def number(self, key: str) -> float:
        """A field that must hold a number."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
            raise self.error(f"{key!r} must be a number, got {value!r}")
        return float(value)

    def block(self, key: str) -> Fields:
        """A field that must hold a mapping."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self.error(f"field {key!r} must be a mapping, got {value!r}")
        return Fields(value, self.path, f"{self.place}.{key}".strip("."))

    def optional_block(self, key: str) -> Fields | None:
        """A field that holds a mapping, or is null or left out."""
        return None if self.values.get(key) is None else self.block(key)

    def blocks(self, key: str) -> list[Fields]:
        """A field that must hold a list of mappings."""
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(f"field {key!r} must be a list of mappings, got {value!r}")
        return [Fields(item, self.path, f"{self.place}.{key}[{i}]".strip(".")) for i, item in enumerate(value)]


@cache
def _loader() -> type:
    """A YAML loader to which a key given twice is an error; YAML's own takes the last and says nothing."""
    import yaml

    # libyaml's parser is ten times faster and is in every PyYAML wheel; the pure one is for builds without it.
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def construct_mapping(loader: Any, node: Any) -> dict[Any, Any]:
        keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for i, key in enumerate(keys) if key in keys[:i]]:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} is given twice", node.start_mark)
        return dict(loader.construct_mapping(node, deep=True))

    loader = type("UniqueKeyLoader", (base,), {})
    loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct_mapping)  # type: ignore[attr-defined]
    return loader


def read_front_matter(path: Path) -> tuple[dict[str, Any], str]:
    """Split a card into its front matter and its Markdown body.

    Raises:
        CardError: The file cannot be read, has no front matter, or the front matter is no YAML mapping.
    """
    try:
        text = path.read_text(encoding="utf-8-sig") + "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: cannot be read: {error}") from error
    if not text.startswith("---\n") or "\n---\n" not in text[4:]:
        raise CardError(f"{path}: a card begins with YAML front matter between two lines of ---")
    front_matter, _, body = text[4:].partition("\n---\n")
    return parse_mapping(front_matter, path, "front matter"), body


def parse_mapping(text: str, path: Path, what: str) -> dict[str, Any]:
    """Parse YAML that must be a mapping; what was parsed once is taken from the cache.

    Args:
        text: The YAML.
        path: The file it stands in.
        what: What it is called in errors.

    Raises:
        CardError: It is no YAML, has a key twice, or is no mapping.
    """
    if (known := parsed_yaml_cache().get(text)) is not None:
        return known
    import yaml  # not at the top: where everything was parsed before, it is not needed

    try:
        values = yaml.load(text, Loader=_loader())
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date like 2024-13-45
        raise CardError(f"{path}: {what} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise CardError(f"{path}: {what} must be a mapping, got {type(values).__name__}")
    if _is_too_large(values):
        raise CardError(f"{path}: {what} has more than {_MOST_ENTRIES:,} entries; write out what its aliases repeat")
    parsed_yaml_cache().add(text, values, path)
    return values


_MOST_ENTRIES = 20_000


def _is_too_large(values: Any) -> bool:
    """Whether a mapping holds too much when its aliases are written out, which a few lines of YAML can make endless."""
    left, seen = [values], 0
    while left and seen <= _MOST_ENTRIES:
        value = left.pop()
        seen += 1
        left.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    return seen > _MOST_ENTRIES
