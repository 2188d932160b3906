"""Which model weights are of: written into the header of those that the zoo writes, and told where it is another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.index import card_index
from tipr_zoo.machine.code_version import code_version
from tipr_zoo.models.resolved_model import ResolvedModel
from tipr_zoo.outside.files import file_sha256

CONVERTED_AS = "converted_as"
"""The text in a header that names the method of a converted checkpoint: the one that was named, as ICL, and not RDE,
whose recipe it shares. Any model of the method may take the weights.
"""


def origin_texts(name: str, plugin: str | None, config: str, recipe: Mapping[str, Any]) -> dict[str, str]:
    """Return what the header of weights says of where they come from.

    Args:
        name: Name of the model.
        plugin: The plugin that brings its components. None where the core does.
        config: File name of its recipe.
        recipe: The recipe as it was trained, or what is known of it.
    """
    plain = json.dumps(recipe, sort_keys=True, default=repr)
    return {
        "model": name,
        "plugin": plugin or "core",
        "recipe": config,
        "recipe_sha256": hashlib.sha256(plain.encode()).hexdigest(),
        "code_version": code_version(),
    }


def other_model(
    file: Path, header: Mapping[str, str], resolved: ResolvedModel, sha256: Callable[[], str] | None = None
) -> str | None:
    """Return the name of the model that weights are of, where it is another than the one that takes them.

    Models with the same recipe count as one, as after ``tipr-zoo cards new``.

    Args:
        file: The weights. Those that an installed card names are known by their hash, whatever they are called.
        header: What they say of themselves; see `origin_texts`.
        resolved: The model that takes them.
        sha256: See `owner_of`.
    """
    card = resolved.card
    owner = owner_of(file, header, sha256)
    if owner is None or owner in (card.name, resolved.name):
        return None
    if header.get(CONVERTED_AS, "").casefold() == card.method.name.casefold():
        return None
    of_owner = card_index().cards.get(owner)
    recipes = {(header.get("plugin"), header.get("recipe"))}
    if of_owner is not None and "recipe" not in header:
        recipes.add(_recipe(of_owner))
    return None if _recipe(card) in recipes else owner


def _recipe(card: ModelCard) -> tuple[str, str]:
    return card.plugin or "core", card.config


def owner_of(file: Path, header: Mapping[str, str], sha256: Callable[[], str] | None = None) -> str | None:
    """Return the model that weights are of: as their header says, or the card that names this file.

    Args:
        file: The weights.
        header: What they say of themselves; see `origin_texts`.
        sha256: Gives the file's hash, where the caller needs it as well. It is asked for only where a card names a file
            of this size.
    """
    if header.get("model"):
        return header["model"]
    size = file.stat().st_size
    named = {name: card.weights for name, card in card_index().cards.items() if card.weights}
    alike = {weights.sha256: name for name, weights in named.items() if weights.size == size}
    return alike.get(sha256() if sha256 else file_sha256(file)) if alike else None
