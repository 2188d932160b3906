"""Where in a card's front matter a field stands: its line, and its text to be replaced.

A field is named as in the reader's errors, e.g. ``model-index[0].results[1].source.url``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

_STEP = re.compile(r"\[(\d+)\]|[^.\[\]]+")

_SOURCE = re.compile(r"model-index\[\d+\]\.results\[\d+\]\.source\.url")

FIRST_LINE = 2
"""Line of the file on which the front matter begins."""


def front_matter_text(text: str) -> str:
    """What stands between the two lines of ``---`` at the head of a card; empty where there is no such thing."""
    text = text.replace("\r\n", "\n")
    if not text.startswith("---\n") or "\n---\n" not in text[4:] + "\n":
        return ""
    return (text[4:] + "\n").partition("\n---\n")[0]


def front_matter_node(text: str) -> yaml.Node | None:
    """The front matter of a card as YAML nodes, which know where they stand; None where it is no YAML.

    Nor are there nodes of what is nested hundreds of levels deep.
    """
    try:
        node: yaml.Node | None = yaml.compose(front_matter_text(text), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    return node


def node_at(root: yaml.Node | None, place: str) -> yaml.Node | None:
    """The node of a field, or None where there is none.

    Args:
        root: From `front_matter_node`.
        place: Dotted name; empty for `root` itself.
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
    """The nodes of a key and its value in a mapping, or None."""
    pairs = mapping.value if isinstance(mapping, yaml.MappingNode) else []
    return next((pair for pair in pairs if _key_text(pair[0]) == key), None)


def _key_text(key: yaml.Node) -> str:
    """A key as the reader's errors name it: ``~`` is None to YAML, and ``yes`` is True."""
    is_text = key.tag == "tag:yaml.org,2002:str"
    return str(key.value if is_text else yaml.constructor.SafeConstructor().construct_object(key, deep=True))


def line_of(root: yaml.Node | None, place: str, key: str | None = None) -> int:
    """The line of the file that a field stands on.

    Args:
        root: From `front_matter_node`.
        place: Dotted name of a mapping.
        key: A field of that mapping; where it is missing, the line is the mapping's, and where that is missing, too,
            that of the innermost mapping around it.
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
    """Every node of the front matter with its place, from the outside to the inside.

    Args:
        root: From `front_matter_node`.
        place: What `root` is called.
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
    """Place and address of the source of every figure of a card.

    Args:
        text: The whole card.
    """
    return [
        (place, node.value)
        for place, node in nodes_by_place(front_matter_node(text))
        if isinstance(node, yaml.ScalarNode) and _SOURCE.fullmatch(place)
    ]


def replace_values(text: str, changes: Mapping[str, Any]) -> str:
    """A card with the values of some fields replaced, and all else as it was written.

    Args:
        text: The whole card, with fields of these places in its front matter.
        changes: New values by place; none lies inside another.
    """
    text = text.replace("\r\n", "\n")
    root, start = front_matter_node(text), len("---\n")
    nodes = [(node, value) for place, value in changes.items() if (node := node_at(root, place)) is not None]
    for node, value in sorted(nodes, key=lambda pair: pair[0].start_mark.index, reverse=True):
        end = len(text[: start + _end(node)].rstrip())  # a folded text's mark is beyond its last line break
        written = json.dumps(value, ensure_ascii=False)  # JSON is YAML, on one line
        text = text[: start + node.start_mark.index] + written + text[end:]
    return text


def _end(node: yaml.Node) -> int:
    """Where the text of a node ends; YAML's own mark of an indented block is at whatever comes next."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return int(node.end_mark.index)
