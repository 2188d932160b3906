"""Finding the cards of the core and of plugins. No plugin is imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tipr_zoo.cards.card import MODEL_NAME, ModelCard, read_card
from tipr_zoo.errors import CardError, DuplicateNameError, TiprZooError
from tipr_zoo.plugins.discovery import installed_plugins

CARDS_FOLDER = "model_cards"


@dataclass
class CardIndex:
    """Every card that was found.

    Attributes:
        cards: The readable cards by name.
        problems: The problems of the other cards, by name. Such a model is not listed. Loading it raises its problem.
        notes: Problems that cost no model, e.g. a plugin that claims a name of the core.
        faults: Every problem, by the plugin whose card it is. None stands for the core.
    """

    cards: dict[str, ModelCard] = field(default_factory=dict)
    problems: dict[str, TiprZooError] = field(default_factory=dict)
    notes: list[TiprZooError] = field(default_factory=list)
    faults: dict[str | None, list[TiprZooError]] = field(default_factory=dict)

    def add(self, path: Path, owner: str | None) -> None:
        """Read one card into the index. A problem of the card is kept under its name and harms no other card.

        Args:
            path: The card's file.
            owner: The plugin in whose package the card lies. None for the core.
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
        """Handle a second card of one name. The core keeps its name. Of two plugins, neither gets it."""
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
    """Return the folder of the cards that ship with the core.

    Raises:
        CardError: The folder is missing from the installation.
    """
    spec = find_spec(f"tipr_zoo.{CARDS_FOLDER}")
    if spec is None or not spec.submodule_search_locations:
        raise CardError(f"the core's cards (tipr_zoo.{CARDS_FOLDER}) are missing; reinstall tipr-zoo")
    return Path(next(iter(spec.submodule_search_locations)))


def card_folders() -> dict[Path, str | None]:
    """Return the folders of installed cards, each with the plugin in whose package it lies.

    The core's folder comes first and has None. Where two plugins share a package, the first plugin stands here. Each
    card itself says whose it is.
    """
    folders: dict[Path, str | None] = {core_cards_folder(): None}
    for plugin in installed_plugins().values():
        if (folder := plugin.folder(CARDS_FOLDER)) is not None:
            folders.setdefault(folder, plugin.name)
    return folders


@cache
def card_index() -> CardIndex:
    """Read every card, the core's first. This is done once a process."""
    index = CardIndex()
    for folder, owner in card_folders().items():
        for path in sorted(folder.glob("*.md")):
            index.add(path, owner)
    return index
