"""A first card and a first recipe, for weights without them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tipr_zoo.cards.publication import Code, Paper
from tipr_zoo.outside.files import file_sha256

TAGS = ["text-to-image-person-retrieval", "person-re-identification", "clip"]


@dataclass(frozen=True)
class MethodBlock:
    """What a first card says of the method.

    Attributes:
        name: The method's name as people write it.
        paper: Its paper, where that is known.
        code: The code of its authors, where that is known.
    """

    name: str
    paper: Paper | None = None
    code: Code | None = None


def card_stub(
    name: str, weights: Mapping[str, Any], config: str, plugin: str | None, method: MethodBlock, origin: str
) -> str:
    """Return a card with everything that is known of a safetensors file. The other fields are empty.

    `tipr_zoo.cards.card.read_card` refuses an empty field, so no field is forgotten.

    Args:
        name: The model's name.
        weights: The fields of `weights_fields` for the file, which will lie beside the card.
        config: The recipe's file.
        plugin: The plugin that brings the components. None where the core does.
        method: What is known of the method.
        origin: Where the weights come from, in words.
    """
    known: dict[str, Any] = {"method": {"name": method.name}}
    for key, link in (("paper", method.paper), ("code", method.code)):
        known |= {} if link is None else {key: {k: v for k, v in vars(link).items() if v is not None}}
    lines = [
        "---",
        "license:  # TODO: SPDX identifier of the model's licence, or other",
        "language: en",
        "library_name: tipr-zoo",
        "datasets:  # TODO: what it was trained on, e.g. [CUHK-PEDES]",
        *yaml_lines({"tags": TAGS}),
        "tipr_zoo:",
        "  # In a plugin of your own, its name; the recipe belongs in its folder configs, this card in model_cards.",
        *yaml_lines({"plugin": plugin, "config": config}, indent=2),
        "  weights:",
        *yaml_lines(weights, indent=4),
        "    license:  # TODO: SPDX identifier of the licence of the weights, or other",
        *yaml_lines({"weights_note": origin, **known}, indent=2),
        "  protocol:  # TODO: how its figures were obtained, e.g. the split that the best epoch was chosen on",
        "---",
        f"\n# {name}\n\nTODO: what it is, what it was trained on, and what it must not be used for.",
    ]
    return "\n".join(lines) + "\n"


def recipe_stub(model: Mapping[str, Any], origin: str) -> str:
    """Return the text of a recipe that builds a model. It has nothing about training.

    Args:
        model: The ``model`` entry.
        origin: Where the weights come from, in words.
    """
    from mmengine.config import Config  # not at the top: a card alone needs no MMEngine

    return f"{origin!r}\n\n{Config({'model': model}).pretty_text}"


def weights_fields(weights: Path, location: str) -> dict[str, Any]:
    """Return what a card says of a safetensors file, without the licence.

    Args:
        weights: The file.
        location: Its path as seen from the card.
    """
    return {
        "file": location,
        "sha256": file_sha256(weights),
        "size": weights.stat().st_size,
        "format": "safetensors",
    }


def yaml_lines(values: Mapping[str, Any], indent: int = 0, compact: bool = False) -> list[str]:
    """Return values as lines of YAML.

    >>> yaml_lines({"name": "SEN", "size": 12})
    ['name: SEN', 'size: 12']

    Args:
        values: The values to write.
        indent: Number of blanks before each line.
        compact: Whether the innermost lists and mappings stand on one line each.
    """
    style = None if compact else False
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110, default_flow_style=style)
    return [" " * indent + line for line in text.splitlines()]


def flow_list(texts: Sequence[str]) -> str:
    """Return texts as a YAML list on one line. A text that YAML would take for something else is quoted.

    >>> flow_list(["mit", "no"])
    "[mit, 'no']"

    Args:
        texts: The items of the list.
    """
    return yaml.safe_dump(list(texts), allow_unicode=True, width=math.inf, default_flow_style=True).strip()
