"""The place of a field in a card's front matter: its line, and its text, which can be replaced.

Fields have the names that error messages use, e.g. ``model-index[0].results[1].source.url``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tipr_zoo.outside.files import CARD_LIMIT, read_bytes
from tipr_zoo.outside.parsing import check_yaml_nesting

_STEP = re.compile(r"\[(\d+)\]|[^.\[\]]+")

_SOURCE = re.compile(r"model-index\[\d+\]\.results\[\d+\]\.source\.url")

FIRST_LINE = 2
"""The line of the file where the front matter begins."""


def card_text(path: Path) -> str:
    """Return the text of a card, with a mark for each byte that is no UTF-8. Empty where the file cannot be read."""
    try:
        return read_bytes(path, CARD_LIMIT).decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    except OSError:
        return ""


def front_matter_text(text: str) -> str:
    """Return what stands between the two lines of ``---`` at the head of a card. Without them it is empty."""
    text = text.replace("\r\n", "\n")
    if not text.startswith("---\n") or "\n---\n" not in text[4:] + "\n":
        return ""
    return (text[4:] + "\n").partition("\n---\n")[0]


def front_matter_node(text: str) -> yaml.Node | None:
    """Return the front matter of a card as YAML nodes, which know their lines.

    Return None where it is no YAML, is nested too deeply, or has too many entries.
    """
    return yaml_node(front_matter_text(text))


def yaml_node(text: str) -> yaml.Node | None:
    """Return YAML as nodes, as `front_matter_node` does."""
    try:
        check_yaml_nesting(text)
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    return node


def node_at(root: yaml.Node | None, place: str) -> yaml.Node | None:
    """Return the node of a field, or None where there is none.

    Args:
        root: The result of `front_matter_node`.
        place: Dotted name. Empty for `root` itself.
    """
    node = root
    for step in _STEP.finditer(place):
        if step[1] is not None:
            index = int(step[1])
            node = node.value[index] if isinstance(node, yaml.SequenceNode) and index < len(node.value) else None
        else:
            entry = entry_of(node, step[0])
            node = entry[1] if entry else None
    return node


def entry_of(mapping: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the nodes of a key and its value in a mapping, or None."""
    pairs = mapping.value if isinstance(mapping, yaml.MappingNode) else []
    return next((pair for pair in pairs if _key_text(pair[0]) == key), None)


def _key_text(key: yaml.Node) -> str:
    """Return a key as error messages name it. To YAML, ``~`` is None and ``yes`` is True."""
    is_text = key.tag == "tag:yaml.org,2002:str"
    try:
        return str(key.value if is_text else yaml.constructor.SafeConstructor().construct_object(key, deep=True))
    except Exception:  # a key like `!!timestamp foo`, at which the reading of the card fails, too
        return str(key.value)


def line_of(root: yaml.Node | None, place: str, key: str | None = None) -> int:
    """Return the line of the file on which a field stands.

    Args:
        root: The result of `front_matter_node`.
        place: Dotted name of a mapping.
        key: A field of that mapping. Where the field is missing, the line is that of the mapping. Where the mapping is
            missing, too, it is that of the innermost mapping around it.
    """
    node = node_at(root, place)
    entry = entry_of(node, key) if key is not None else None
    if entry is not None:
        return entry[0].start_mark.line + FIRST_LINE
    parent, _, last = place.rpartition(".")
    owner = entry_of(node_at(root, parent), last)  # the line that says `weights:`, not the one below it
    found = owner[0] if owner else node
    if found is None and parent:
        return line_of(root, parent)
    return found.start_mark.line + FIRST_LINE if found is not None and place else 1


def nodes_by_place(root: yaml.Node | None, place: str = "") -> Iterator[tuple[str, yaml.Node]]:
    """Yield every node of the front matter with its place, outer nodes first.

    Args:
        root: The result of `front_matter_node`.
        place: The name of `root`.
    """
    if root is not None:
        yield place, root
    if isinstance(root, yaml.SequenceNode):
        for index, item in enumerate(root.value):
            yield from nodes_by_place(item, f"{place}[{index}]")
    elif isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            yield from nodes_by_place(value, f"{place}.{key.value}".strip("."))


def source_urls(text: str) -> list[tuple[str, str]]:
    """Return the place and the address of the source of every figure of a card.

    Args:
        text: The whole card.
    """
    return [
        (place, node.value)
        for place, node in nodes_by_place(front_matter_node(text))
        if isinstance(node, yaml.ScalarNode) and _SOURCE.fullmatch(place)
    ]


def replace_values(text: str, changes: Mapping[str, Any]) -> str:
    """Return a card with the values of some fields replaced. Everything else stays as it was written.

    Args:
        text: The whole card. Its front matter has a field at each of these places.
        changes: New values by place. No place lies inside another.
    """
    text = text.replace("\r\n", "\n")
    root, start = front_matter_node(text), len("---\n")
    nodes = [(node, value) for place, value in changes.items() if (node := node_at(root, place)) is not None]
    for node, value in sorted(nodes, key=lambda pair: pair[0].start_mark.index, reverse=True):
        end = len(text[: start + _end(node)].rstrip())  # the mark of a folded text is beyond its last line break
        written = json.dumps(value, ensure_ascii=False)  # JSON is YAML, on one line
        text = text[: start + node.start_mark.index] + written + text[end:]
    return text


def _end(node: yaml.Node) -> int:
    """Return where the text of a node ends. YAML's own mark of an indented block is at the next token instead."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return int(node.end_mark.index)
