"""Trying the promises of a plugin: of its package, its cards, its recipes, and all their components."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.index import card_index
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.models.checkpoint_reader import checked_reader
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.resolved_model import resolve_card
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.plugins.contract import STATEMENT, stated_contract
from tipr_zoo.plugins.discovery import find_plugin
from tipr_zoo.protocols import CaptionAugmentation, PairSampler, TwoTowerRetriever, missing_names, promised_names
from tipr_zoo.registries import CAPTION_AUGMENTATIONS, CHECKPOINTS, DATASETS, HEADS, LOSSES, SAMPLERS
from tipr_zoo.terminal.log import logger
from tipr_zoo.testing.head_check import check_head
from tipr_zoo.testing.image_tower_check import check_image_tower
from tipr_zoo.testing.loss_check import check_loss
from tipr_zoo.testing.retriever_check import check_retriever
from tipr_zoo.testing.text_tower_check import check_text_tower
from tipr_zoo.testing.trial import Trial, alike_every_time, expect

LARGEST = 20_000_000
"""Most parameters of a model that is built with numbers for a trial. Larger ones have only shapes."""


def check_plugin(name: str, largest: int = LARGEST) -> None:
    """Try every promise of an installed plugin, of its recipes and of their components.

    Models of more than `largest` parameters are built on the meta device, which has shapes and no numbers. Only their
    losses are tried. The logger ``tipr_zoo`` warns of everything that is not tried, with the reason.

    Args:
        name: The entry point's name.
        largest: Most parameters of a model that is built with numbers.

    Raises:
        BrokenPromiseError: A promise is broken. The message names the first one.
    """
    trial = Trial(f"plugin {name!r}")
    with trial.promise("is found and fits this tipr-zoo"):
        plugin = find_plugin(name)
    with trial.promise("states the version of the contract that it is written for"):
        stated = stated_contract(plugin.package)
        expect(stated is not None, f'write {STATEMENT} = "..." into __init__.py of {plugin.package}')
    with trial.promise("can be imported"):
        import_plugin(name)
    with trial.promise("has cards that can be read"):
        for fault in card_index().faults.get(name, []):
            raise fault
    components = _Components(largest)
    for card in card_index().cards.values():
        if card.plugin == name:
            components.check_recipe(trial, card)
    components.check_registered(trial, plugin.package)


class _Components:
    """The components of a plugin's recipes. Each is tried once.

    Args:
        largest: Most parameters of a model that is built with numbers.
    """

    def __init__(self, largest: int) -> None:
        self.largest = largest
        self._tried: set[str] = set()
        self._types: set[str] = set()
        self._too_large: dict[str, str] = {}

    def check_recipe(self, trial: Trial, card: ModelCard) -> None:
        """Build the model of a card and try its components."""
        with trial.promise(f"has a recipe from which {card.name} can be built"):
            recipe = resolve_card(card).copied_recipe()
            with torch.device("meta"):  # this device has shapes and no numbers
                numberless = build_retriever(recipe.model)
            count = sum(parameter.numel() for parameter in numberless.parameters())
            parts = tuple(getattr(numberless, "parts", ()))
            retriever = None
            if count <= self.largest:
                with alike_every_time():
                    retriever = build_retriever(recipe.model)
        if retriever is None:
            logger.warning(
                "%s: built without numbers, and towers and heads not tried: %d million parameters are more than %d",
                *(card.name, count // 10**6, self.largest // 10**6),
            )
        self._check_objectives(recipe.model, retriever, parts, card.name)
        if retriever is None:
            return
        self._once("retriever", recipe.model, partial(check_retriever, retriever), name=type(retriever).__name__)
        if not missing_names(retriever, TwoTowerRetriever):
            image, text = retriever.get_submodule("image_encoder"), retriever.get_submodule("text_encoder")
            self._once("image tower", recipe.model.image_encoder, partial(check_image_tower, image))
            self._once("text tower", recipe.model.text_encoder, partial(check_text_tower, text, retriever.tokenize))

    def check_registered(self, trial: Trial, package: str) -> None:
        """Try the plugin's registered parts of training, and warn of components that none of its recipes has."""
        for registry, protocol in ((SAMPLERS, PairSampler), (CAPTION_AUGMENTATIONS, CaptionAugmentation)):
            for name in registry.names_from(package):
                with trial.promise(f"registers {registry.name}s with all that is promised of them"):
                    _check_class(registry.get(name), protocol)
        for name in DATASETS.names_from(package):
            with trial.promise("registers data sets that are a PersonDataset with a specification"):
                dataset = DATASETS.get(name)
                expect(inspect.isclass(dataset) and issubclass(dataset, PersonDataset), f"{name} is none")
                expect(hasattr(dataset, "specification"), f"{name} lacks specification")
        for name in CHECKPOINTS.names_from(package):
            with trial.promise("registers checkpoint readers with all that is promised of them"):
                reader = checked_reader(name)
                expect(not reader.recognises(["another.weight"]), f"{name} claims tensors of any name")
                expect(reader.model in card_index().cards, f"{name} is of the model {reader.model}, which has no card")
        for registry in (LOSSES, HEADS):
            for name in set(registry.names_from(package)) - self._types:
                reason = self._too_large.get(name, "no recipe of the plugin has it")
                logger.warning("%s %s is not tried: %s", registry.name, name, reason)

    def _check_objectives(
        self, recipe: Mapping[str, Any], retriever: DualEncoder | None, parts: tuple[str, ...], model_name: str
    ) -> None:
        if retriever is not None and not hasattr(retriever, "objectives"):
            return  # its losses are its own matter
        configs = [config for config in (recipe.get("losses") or {}).values() if config is not None]
        for config in configs:
            own = {name: value for name, value in config.items() if name != "weight"}
            self._once("loss", own, partial(_check_configured_loss, own, parts, retriever))
        for key, config in (recipe.get("heads") or {}).items():
            if config is None:
                continue
            if retriever is None:
                self._too_large[config["type"]] = f"{model_name} is too large, and no smaller model has it"
            else:
                self._once("head", config, partial(check_head, retriever.heads[key], retriever))

    def _once(self, kind: str, config: Mapping[str, Any], check: Callable[[], None], name: str = "") -> None:
        """Run a check of a component, unless one with the same arguments was tried."""
        self._types.add(name or config["type"])
        if (what := f"{kind} {dict(config)!r}") not in self._tried:
            self._tried.add(what)
            check()


def _check_configured_loss(config: Mapping[str, Any], parts: tuple[str, ...], retriever: DualEncoder | None) -> None:
    check_loss(LOSSES.build(config), parts=parts, retriever=retriever)


def _check_class(component: Any, protocol: type) -> None:
    """Raise where a class lacks a method of a protocol. Of another callable, nothing is known."""
    if not inspect.isclass(component):
        return
    defined = {name for base in component.__mro__[:-1] for name in vars(base)}
    missing = [name for name in promised_names(protocol) if name not in defined]
    expect(not missing, f"{component.__name__} lacks {', '.join(missing)}")
