"""Reading YAML: the front matter of a card, or a whole file. What was read and was right is kept."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tipr_zoo.cards.parsed_yaml_cache import parsed_yaml_cache
from tipr_zoo.errors import CardError
from tipr_zoo.outside.files import CARD_LIMIT, read_text
from tipr_zoo.outside.parsing import MOST_ENTRIES, check_yaml_nesting
from tipr_zoo.schemas.problems import FieldProblem, problems_of


@cache
def _loader() -> type:
    """Return a YAML loader that refuses a key given twice. PyYAML's own takes the last one and says nothing."""
    import yaml  # not at the top: listing parses no YAML twice

    # libyaml's parser is ten times faster. Every PyYAML wheel has it. The pure one is for builds without it.
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def construct_mapping(loader: Any, node: Any) -> dict[Any, Any]:
        keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for i, key in enumerate(keys) if key in keys[:i]]:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} is given twice", node.start_mark)
        return dict(loader.construct_mapping(node, deep=True))

    def construct_object(loader: Any, node: Any, deep: bool = False) -> Any:
        try:
            return base.construct_object(loader, node, deep)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise
        except Exception as error:  # e.g. AttributeError for !!timestamp before what is no date
            kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
            said = f"{str(node.value)[:40]!r} cannot be read as !!{kind}"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from error

    loader = type("UniqueKeyLoader", (base,), {"construct_object": construct_object})
    loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, construct_mapping)  # type: ignore[attr-defined]
    return loader


def read_front_matter(path: Path) -> dict[str, Any]:
    """Read the front matter of a card.

    Raises:
        CardError: The file cannot be read, has no front matter, or the front matter is no YAML mapping.
    """
    return parse_mapping(split_card(path)[0], path, "front matter")


def split_card(path: Path) -> tuple[str, str]:
    """Split a card into the text of its front matter and its Markdown body.

    Raises:
        CardError: The file cannot be read, or has no front matter.
    """
    try:
        text = read_text(path, CARD_LIMIT, "utf-8-sig") + "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: cannot be read: {error}") from error
    if not text.startswith("---\n") or "\n---\n" not in text[4:]:
        raise CardError(f"{path}: a card begins with YAML front matter between two lines of ---")
    front_matter, _, body = text[4:].partition("\n---\n")
    return front_matter, body


def parse_mapping(text: str, path: Path, what: str) -> dict[str, Any]:
    """Parse YAML that must be a mapping. What was parsed before comes from the cache.

    Args:
        text: The YAML.
        path: The file it stands in.
        what: Its name in error messages.

    Raises:
        CardError: The text is no YAML, has a key twice, is no mapping, or its aliases stand for too many entries.
    """
    if (known := parsed_yaml_cache().get(text)) is not None:
        return known
    import yaml  # not at the top: it is not needed where everything was parsed before

    try:
        check_yaml_nesting(text)
        values = yaml.load(text, Loader=_loader())
    except Exception as error:  # whatever a constructor raises, e.g. ValueError for a date like 2024-13-45
        raise CardError(f"{path}: {what} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise CardError(f"{path}: {what} must be a mapping, got {type(values).__name__}")
    if _is_too_large(values):
        raise CardError(f"{path}: {what} has more than {MOST_ENTRIES:,} entries; write out what its aliases repeat")
    parsed_yaml_cache().add(text, values, path)
    return values


def problems_of_text(schema: type, values: Mapping[Any, Any], text: str) -> list[FieldProblem]:
    """Return every problem of a file by its schema. A text that was right before is not checked again.

    Args:
        schema: The schema.
        values: What the file holds.
        text: The text from which the values were read.
    """
    cache = parsed_yaml_cache()
    if cache.is_right(text, schema.__name__):
        return []
    problems = problems_of(schema, values)
    if not problems:
        cache.keep_right(text, schema.__name__)
    return problems


def _is_too_large(values: Any) -> bool:
    """Tell whether a mapping is too large with its aliases written out. A few lines of YAML can make it endless."""
    left, seen = [values], 0
    while left and seen <= MOST_ENTRIES:
        value = left.pop()
        seen += 1
        left.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    return seen > MOST_ENTRIES
