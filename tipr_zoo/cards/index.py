"""Finding cards: those of the core and those that plugins bring, without importing any plugin."""

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
