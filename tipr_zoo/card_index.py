"""Finding cards: those of the core and those that plugins bring, without importing any plugin."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tipr_zoo.card import ModelCard, read_card
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import CardError, DuplicateNameError, TiprZooError
from tipr_zoo.hub_reference import is_hub_reference, parse_hub_reference
from tipr_zoo.plugins import installed_plugins

CARDS_FOLDER = "model_cards"

MODEL_NAME = re.compile(r"\w[\w.-]{0,95}", re.ASCII)  # the Hub takes no longer one
"""What a model may be called, and so the file of its card."""


@dataclass
class CardIndex:
    """Every card that was found.

    Attributes:
        cards: The readable ones by name.
        problems: What is wrong with the others, by name; such a model is not listed, and loading it raises this.
        notes: What is wrong without costing a model, e.g. a plugin that claims a name of the core's.
        faults: Everything that is wrong, by the plugin whose card it is; of the core's own cards under None.
    """

    cards: dict[str, ModelCard] = field(default_factory=dict)
    problems: dict[str, TiprZooError] = field(default_factory=dict)
    notes: list[TiprZooError] = field(default_factory=list)
    faults: dict[str | None, list[TiprZooError]] = field(default_factory=dict)

    def add(self, path: Path, owner: str | None) -> None:
        """Read one card into the index; whatever is wrong with it is kept as a problem of that name alone.

        Args:
            path: The card's file.
            owner: The plugin whose package it lies in; None for the core.
        """
        name = path.stem
        if name in self.cards or name in self.problems:
            self._add_duplicate(path, owner)
            return
        try:
            if not MODEL_NAME.fullmatch(name):
                raise CardError(f"{str(path)!r}: rename it; a model's name is made of letters, digits, - _ and .")
            card = read_card(path)
            if owner is not None and card.plugin is None:
                raise CardError(f"{path}: tipr_zoo: field 'plugin' is missing; name the plugin that brings the model")
            self.cards[name] = card
        except CardError as error:
            self.problems[name] = error
            self._blame(owner, error)

    def _add_duplicate(self, path: Path, owner: str | None) -> None:
        """A second card of one name: the core keeps its name, of two plugins neither does."""
        name = path.stem
        first = self.cards.get(name)
        if first is None:
            error = DuplicateNameError(f"{path}: the name {name!r} is taken by a card that has a problem; rename it")
            self.notes.append(error)
        else:
            error = DuplicateNameError(f"two cards are named {name!r}: {first.path} and {path}; rename one of them")
            if first.path.parent == core_cards_folder():
                self.notes.append(error)
            else:
                del self.cards[name]
                self.problems[name] = error
        self._blame(owner, error)

    def _blame(self, owner: str | None, error: TiprZooError) -> None:
        self.faults.setdefault(owner, []).append(error)


def core_cards_folder() -> Path:
    """The folder of the cards that ship with the core.

    Raises:
        CardError: It is missing from the installation.
    """
    spec = find_spec(f"tipr_zoo.{CARDS_FOLDER}")
    if spec is None or not spec.submodule_search_locations:
        raise CardError(f"the core's cards (tipr_zoo.{CARDS_FOLDER}) are missing; reinstall tipr-zoo")
    return Path(next(iter(spec.submodule_search_locations)))


def card_folders() -> dict[Path, str | None]:
    """The folders of installed cards, the core's first, and the plugin in whose package each lies; None for the core.

    Of two plugins in one package it is the first; each card says whose it is.
    """
    folders: dict[Path, str | None] = {core_cards_folder(): None}
    for plugin in installed_plugins().values():
        if (folder := plugin.folder(CARDS_FOLDER)) is not None:
            folders.setdefault(folder, plugin.name)
    return folders


@cache
def card_index() -> CardIndex:
    """Read every card, the core's first. Done once a process."""
    index = CardIndex()
    for folder, owner in card_folders().items():
        for path in sorted(folder.glob("*.md")):
            index.add(path, owner)
    return index


def load_card(name: str) -> ModelCard:
    """The card of a model.

    Args:
        name: A name that ``tipr-zoo list`` shows, or ``"hub:owner/name[@revision]"`` for a card on the Hub.

    Raises:
        UnknownNameError: No model has this name; the message has close matches.
        CardError: Its card is malformed.
        DuplicateNameError: Two plugins bring a card of this name.
        HubError: The Hub cannot be reached, or has no such card.
    """
    if is_hub_reference(name):
        from tipr_zoo.hub_card import load_hub_card

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
    """Names of the models that can be built, sorted.

    Args:
        pattern: Shell pattern that the name must match, e.g. ``"fmfa*"``.
        dataset: Keep models trained on this data set, in any mix of upper and lower case.
        plugin: Keep models of this plugin; ``"core"`` for those that need none.
        pretrained: Keep models with (True) or without (False) published weights.

    Returns:
        The names; empty where no model matches `pattern`.

    Raises:
        UnknownNameError: No card names this `dataset` or `plugin`.
    """
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
