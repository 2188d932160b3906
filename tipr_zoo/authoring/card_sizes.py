"""The ``size:`` of cards: compared with the model that is built, and written into the card."""

from __future__ import annotations

from pathlib import Path

import yaml

from tipr_zoo.authoring.card_problems import CardProblem
from tipr_zoo.cards.card import read_card
from tipr_zoo.cards.lines import FIRST_LINE, card_text, entry_of, front_matter_node, line_of, node_at
from tipr_zoo.cards.schema import SizeBlock
from tipr_zoo.errors import CardError, TiprZooError
from tipr_zoo.machine.whole_file import write_whole

_PLACE = "tipr_zoo"
_FIX = "write it with: tipr-zoo cards check --write-sizes"


def size_problems(path: Path) -> list[CardProblem]:
    """Build the model of a card without numbers, and return what the card says wrongly of its size.

    Args:
        path: A card that can be read.
    """
    from tipr_zoo.models.model_size import model_size  # not at the top: checking a card's text needs no torch

    card = read_card(path)
    try:
        size = model_size(card)
    except TiprZooError as error:
        return [_problem(path, f"the model cannot be built, so that its size is not known: {error}")]
    if card.size is None:
        return [_problem(path, f"the card does not say its size, {size_text(size)}; {_FIX}")]
    if card.size != size:
        return [_problem(path, f"the card says {size_text(card.size)}, and the model has {size_text(size)}; {_FIX}")]
    return []


def write_size(path: Path) -> bool:
    """Write the size of a card's model into the card. Everything else in it stays as it is.

    Args:
        path: The card.

    Returns:
        Whether the card was changed.

    Raises:
        TiprZooError: The card is wrong, or its model cannot be built.
        WriteError: The card cannot be written.
    """
    from tipr_zoo.models.model_size import model_size  # not at the top, as above

    card = read_card(path)
    size = model_size(card)
    if card.size == size:
        return False
    lines = card_text(path).splitlines(keepends=True)
    root = front_matter_node("".join(lines))
    block = node_at(root, _PLACE)
    old, config = entry_of(block, "size"), entry_of(block, "config")
    if config is None or (isinstance(block, yaml.CollectionNode) and block.flow_style):
        raise CardError(f"{path}: its tipr_zoo block stands on one line; write size: {size_text(size)} into it")
    if old is not None:
        first, last = old[0].start_mark.line, _end(old[1])
    else:
        first = last = _end(config[1])
    start = FIRST_LINE - 1
    indent = " " * config[0].start_mark.column
    lines[start + first : start + last] = [f"{indent}size: {size_text(size)}\n"]
    write_whole(path, "".join(lines).encode())
    return True


def _end(node: yaml.Node) -> int:
    """Return the number of the line after a value. To YAML, a block ends where the next key begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return node.end_mark.line + (1 if node.end_mark.column else 0)


def size_text(size: SizeBlock) -> str:
    """Return a size as a card has it: ``{parameters: 149620737, embedding: 512, input: [224, 224]}``."""
    height, width = size.input
    parts = ", ".join(f"{name}: {count}" for name, count in size.parts.items())
    told = f", parts: {{{parts}}}" if parts else ""
    return f"{{parameters: {size.parameters}, embedding: {size.embedding}, input: [{height}, {width}]{told}}}"


def _problem(path: Path, message: str) -> CardProblem:
    return CardProblem(path, line_of(front_matter_node(card_text(path)), _PLACE, "size"), _PLACE, message)
