"""Cards by name: the installed ones, and those of the Hub."""

from __future__ import annotations

import fnmatch

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.hub_reference import is_hub_reference, parse_hub_reference
from tipr_zoo.cards.index import card_index
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, UnknownNameError
from tipr_zoo.plugins.discovery import installed_plugins


def load_card(name: str) -> ModelCard:
    """Return the card of a model.

    Args:
        name: A name that ``tipr-zoo list`` shows, or ``"hub:owner/name[@revision]"`` for a card on the Hub.

    Raises:
        UnknownNameError: No model has this name; the message has close matches.
        CardError: Its card is malformed.
        DuplicateNameError: Two plugins bring a card of this name.
        HubError: The Hub cannot be reached, or has no such card.
    """
    if not isinstance(name, str):
        raise UnknownNameError(f"a model is named by text, e.g. 'irra_tiny_synth', not by a {type(name).__name__}")
    if is_hub_reference(name):
        from tipr_zoo.hub.card import load_hub_card  # not at the top: listing needs no YAML parser

        return load_hub_card(parse_hub_reference(name))
    index = card_index()
    if name in index.problems:
        raise index.problems[name]
    if name not in index.cards:
        raise unknown_name("model", name, index.cards, "see `tipr-zoo list`")
    return index.cards[name]


def list_models(
    pattern: str = "*", *, dataset: str | None = None, plugin: str | None = None, pretrained: bool | None = None
) -> list[str]:
    """List the names of the models that can be built, sorted.

    Args:
        pattern: Shell pattern that the name must match, e.g. ``"fmfa*"``.
        dataset: Keep models trained on this data set, in any mix of upper and lower case.
        plugin: Keep models of this plugin; ``"core"`` for those that need none.
        pretrained: Keep models with (True) or without (False) published weights.

    Returns:
        The names; empty where no model matches `pattern`.

    Raises:
        UnknownNameError: No card names this `dataset` or `plugin`.
        ConfigError: An argument is of another kind.
    """
    for argument, value in {"pattern": pattern, "dataset": dataset, "plugin": plugin}.items():
        if not isinstance(value, str) and (value is not None or argument == "pattern"):
            raise ConfigError(f"{argument} must be text, got {value!r}")
    if pretrained not in (None, True, False):
        raise ConfigError(f"pretrained must be True, False or None, got {pretrained!r}")
    cards = card_index().cards.values()
    if dataset is not None:
        by_folded = {name.casefold(): name for card in cards for name in card.datasets}
        if dataset.casefold() not in by_folded:
            raise unknown_name("data set", dataset, by_folded.values())
        dataset = by_folded[dataset.casefold()]
    known_plugins = {"core", *installed_plugins(), *(card.plugin or "core" for card in cards)}
    if plugin is not None and plugin not in known_plugins:
        raise unknown_name("plugin", plugin, known_plugins, "see `tipr-zoo plugins`")
    return sorted(
        card.name
        for card in cards
        if fnmatch.fnmatchcase(card.name, pattern)
        and (dataset is None or dataset in card.datasets)
        and (plugin is None or plugin == (card.plugin or "core"))
        and (pretrained is None or pretrained == (card.weights is not None))
    )
