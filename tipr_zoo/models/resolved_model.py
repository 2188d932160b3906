"""A model found by its name: its card and its recipe, read once and handed on."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.errors import ConfigError
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.recipe import change_recipe, import_plugins, read_recipe


@dataclass(frozen=True)
class ResolvedModel:
    """What a use case needs to know of a model. Whoever builds, trains or measures is given it, and looks nothing up.

    Attributes:
        name: The name that was asked for; of a model on the Hub the reference.
        card: Its card.
        recipe: Its recipe with the overrides in it. The plugins that it needs are imported. It is to be read only;
            `copied_recipe` gives a copy to change.
        own_recipe: The recipe as its file has it, without overrides.
        overrides: Entries of the recipe that were changed, by dotted name.
    """

    name: str
    card: ModelCard
    recipe: ConfigDict
    own_recipe: ConfigDict
    overrides: Mapping[str, Any]

    def copied_recipe(self) -> ConfigDict:
        """Return a copy of the recipe that may be changed."""
        return copy.deepcopy(self.recipe)

    def changed(self, overrides: Mapping[str, Any]) -> ResolvedModel:
        """Return the same model with further overrides; the recipe's file is not read again.

        Raises:
            ConfigError: An override goes through something that is no dict, or the recipe makes no sense with it.
            UnknownNameError: The recipe has no such entry.
            PluginError: A plugin that an override names is missing or broken.
        """
        return _resolved(self.name, self.card, self.own_recipe, {**self.overrides, **overrides})


def resolve(name: str, overrides: Mapping[str, Any] | None = None, recipe_file: Path | None = None) -> ResolvedModel:
    """Find a model by name: its card and its recipe. Import the plugins that the recipe needs.

    Args:
        name: A name that ``tipr-zoo list`` shows, or ``hub:owner/name[@revision]``.
        overrides: Entries of the recipe to change, by dotted name, e.g. ``{"model.heads.id.num_identities": 100}``.
        recipe_file: The recipe in the place of the card's, such as a training's ``recipe.py``.

    Raises:
        UnknownNameError: No such model or recipe entry.
        CardError: Its card is malformed.
        ConfigError: The recipe is missing, broken or makes no sense.
        PluginError: A plugin is missing or broken.
        HubError: The Hub cannot be reached, or has no such card.
    """
    return resolve_card(load_card(name), overrides, name, recipe_file)


def resolve_card(
    card: ModelCard,
    overrides: Mapping[str, Any] | None = None,
    name: str | None = None,
    recipe_file: Path | None = None,
) -> ResolvedModel:
    """Resolve a model whose card was looked up already, as `resolve` does.

    Args:
        card: The model's card.
        overrides: Entries of the recipe to change, by dotted name.
        name: The name that the card was found by; the card's own where it is left out.
        recipe_file: See `resolve`.

    Raises:
        TiprZooError: As `resolve` does.
    """
    given = {} if overrides is None else overrides
    if not isinstance(given, Mapping) or not all(isinstance(entry, str) for entry in given):
        raise ConfigError(
            f"overrides must be a dict of entries by dotted name, e.g. {{'training.seed': 1}}, got {overrides!r}"
        )
    return _resolved(name or card.name, card, read_recipe(card, recipe_file), dict(given))


def _resolved(name: str, card: ModelCard, own: ConfigDict, overrides: Mapping[str, Any]) -> ResolvedModel:
    recipe = change_recipe(copy.deepcopy(own), card, overrides)
    import_plugins(card, recipe)
    return ResolvedModel(name, card, recipe, own, overrides)
