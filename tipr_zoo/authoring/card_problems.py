"""Every problem that the card reader has with a file, each with its line.

The reader stops at the first problem. Here what it objected to is taken out of a copy, which is read again, until
nothing is left to object to: so the rules are the reader's alone, whatever they are.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tipr_zoo.cards.card import ModelCard, read_card
from tipr_zoo.cards.fields import read_front_matter
from tipr_zoo.cards.lines import FIRST_LINE, entry_of, front_matter_node, line_of, node_at, nodes_by_place
from tipr_zoo.errors import CardError

_PLACE = re.compile(r"(?P<place>(?:tipr_zoo|model-index)(?:\[\d+\]|\.[\w-]+)*): (?P<message>.*)", re.DOTALL)

_FIELD = re.compile(r"(?:unknown )?(?:field )?'(?P<key>[\w-]+)'")

_MOST = 100
"""Problems of one file after which it is left alone."""


@dataclass(frozen=True)
class CardProblem:
    """Something that must be mended in a card.

    Attributes:
        path: The card's file.
        line: The line to look at, counted from 1.
        field: Dotted name of the mapping that it is about, empty for the front matter as a whole or the text below.
        message: What is wrong and what to write instead.
    """

    path: Path
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.field + ': ' if self.field else ''}{self.message}"


Finding = tuple[str, "str | None", str]
"""Place of a mapping, a field of it, and what is wrong with that field."""


def card_problems(path: Path, inspect: Callable[[ModelCard], Iterable[Finding]]) -> list[CardProblem]:
    """Read a card, and tell all that the reader objects to, and all that is found in what it has no objection to.

    Args:
        path: The Markdown file.
        inspect: Finds what is wrong with a card that can be read.

    Returns:
        The problems in the order of their lines. Front matter that cannot be read is the only one that is told.
    """
    text = path.read_text(encoding="utf-8-sig", errors="replace") if path.is_file() else ""
    root = front_matter_node(text)
    try:
        return _located(path, root, inspect(read_card(path)))
    except CardError:
        try:
            read_front_matter(path)
        except CardError as error:
            return [_syntax_problem(error, path)]
    if not isinstance(root, yaml.MappingNode):
        return [CardProblem(path, 1, "", "front matter is nested too deeply to be looked through; write it flatter")]
    findings: list[Finding] = []
    places = {id(node): place for place, node in nodes_by_place(root)}  # as they are before anything is taken out
    problems: list[CardProblem] = []
    with _copy_beside(path) as copy:
        objection = _read(root, copy)
        while objection is not None and len(problems) < _MOST:
            place, key, message = _parts(objection, copy)
            message = message.replace(str(copy.parent), str(path.parent))
            field = places.get(id(node_at(root, place)), place)
            problems.append(CardProblem(path, line_of(root, place, key), field, message))
            findings.append((place, key, message))
            objection = _mend(root, objection, copy)
        if objection is None and _read(root, copy) is None:
            found = [finding for finding in inspect(read_card(copy)) if not _comes_of(finding, findings)]
            found = [(place, key, words.replace(str(copy.parent), str(path.parent))) for place, key, words in found]
            problems += _located(path, root, found)
    return sorted(problems, key=lambda problem: problem.line)


def _located(path: Path, root: yaml.Node | None, findings: Iterable[Finding]) -> list[CardProblem]:
    """Findings with their lines."""
    problems = [CardProblem(path, line_of(root, place, key), place, message) for place, key, message in findings]
    return sorted(problems, key=lambda problem: problem.line)


def _comes_of(finding: Finding, earlier: Sequence[Finding]) -> bool:
    """Whether something is found only because what the reader objected to was taken out."""
    place, key, _ = finding
    touched = {(place, key) for place, key, _ in earlier}
    whole = {place for place, _, _ in earlier}
    return (
        (place, key) in touched
        or f"{place}.{key}" in whole
        or (key == "config" and (place, "plugin") in touched)  # whose recipe it is cannot be told
    )


def _syntax_problem(error: CardError, path: Path) -> CardProblem:
    """Front matter that is not YAML, or not there; with the line at which it ceases to be, where that is known."""
    cause = error.__cause__
    if isinstance(cause, UnicodeDecodeError):
        line = cause.object.count(b"\n", 0, cause.start) + 1
        return CardProblem(path, line, "", f"byte {cause.object[cause.start]:#04x} is no UTF-8; save the card as UTF-8")
    mark = getattr(cause, "problem_mark", None)
    if mark is None:
        return CardProblem(path, 1, "", str(error).removeprefix(f"{path}: "))
    words = ", ".join(filter(None, (getattr(cause, "context", None), getattr(cause, "problem", None))))
    return CardProblem(path, mark.line + FIRST_LINE, "", f"front matter is not YAML: {words}")


@contextmanager
def _copy_beside(path: Path) -> Iterator[Path]:
    """A file of the card's name in a folder of its own, with all that lies beside the card."""
    with tempfile.TemporaryDirectory() as folder:
        for entry in path.absolute().parent.iterdir():
            if entry.name != path.name:
                os.symlink(entry, Path(folder) / entry.name)
        yield Path(folder) / path.name


def _parts(error: CardError, path: Path) -> tuple[str, str | None, str]:
    """Place, field and message of an error that the reader had with the file `path`."""
    message = str(error).removeprefix(f"{path}: ")
    match = _PLACE.fullmatch(message)
    place, message = (match["place"], match["message"]) if match else ("", message)
    field = _FIELD.match(message)
    return place, field["key"] if field else None, message


def _mend(root: yaml.MappingNode, error: CardError, copy: Path) -> CardError | None:
    """Take out of the front matter what the reader objected to.

    Args:
        root: Changed in place; what is left of it still knows its lines.
        error: What the reader said of `copy` as it was.
        copy: Where to write what is left.

    Returns:
        What the reader says next; None where it has nothing to say, or where nothing can be taken out.
    """
    place, key, message = _parts(error, copy)
    mapping = node_at(root, place)
    if not isinstance(mapping, yaml.MappingNode):
        return None
    if message.startswith("unknown field") and key is not None:
        _drop(mapping, key)
        return _read(root, copy)
    if "[" in place:
        _drop_entry(root, place)
        return _read(root, copy)
    entry = entry_of(mapping, key) if key is not None else None
    for value in _stand_ins(entry[0] if entry else mapping) if key is not None else ():
        _drop(mapping, key)
        if value is not None:
            mapping.value.append((_text(str(key), value), value))
        following = _read(root, copy)
        if following is None or _is_another(following, copy, place, key):
            return following
    owner, _, last = place.rpartition(".")
    above = node_at(root, owner)
    if not place or not isinstance(above, yaml.MappingNode):
        return None
    _drop(above, last)
    following = _read(root, copy)
    return following if following is not None and _is_another(following, copy, place, key) else None


def _is_another(error: CardError, copy: Path, place: str, key: str | None) -> bool:
    """Whether an error is of another field; one of the same mapping that names no field comes of what stands in."""
    found, field, _ = _parts(error, copy)
    return found != place or (field is not None and field != key)


def _stand_ins(beside: yaml.Node) -> list[yaml.Node | None]:
    """What may stand for a field that is wrong, so that the reader gets past it: nothing, or the simplest of a kind.

    Args:
        beside: The node whose line they get.
    """
    start, end = beside.start_mark, beside.end_mark
    return [
        None,
        _text("stand-in", beside),
        yaml.SequenceNode("tag:yaml.org,2002:seq", [], start, end),
        yaml.MappingNode("tag:yaml.org,2002:map", [], start, end),
    ]


def _text(value: str, beside: yaml.Node) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", value, beside.start_mark, beside.end_mark)


def _drop(mapping: yaml.MappingNode, key: str | None) -> None:
    """Take a field out of a mapping."""
    entry = entry_of(mapping, key) if key is not None else None
    if entry is not None:
        mapping.value.remove(entry)


def _drop_entry(root: yaml.Node, place: str) -> None:
    """Take the innermost list entry of a place out of its list, and what an empty list leaves without sense."""
    while "[" in place:
        place, _, index = place.rpartition("[")
        items = node_at(root, place)
        if not isinstance(items, yaml.SequenceNode):
            return
        del items.value[int(index.partition("]")[0])]
        if items.value:
            return


def _read(root: yaml.Node, copy: Path) -> CardError | None:
    """What the reader says of what is left."""
    copy.write_text(f"---\n{yaml.serialize(root, Dumper=yaml.SafeDumper)}---\n", encoding="utf-8")
    try:
        read_card(copy)
    except CardError as error:
        return error
    return None
