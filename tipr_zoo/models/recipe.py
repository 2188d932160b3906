"""Recipes: files in MMEngine's format that say what a model is made of and how it is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, TiprZooError, UnknownNameError, error_line
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.recipe_schema import EvaluationSettings, ModelSettings, RecipeFile, TrainingSettings
from tipr_zoo.models.recipe_sources import CONFIGS_FOLDER, configs_folder, find_sources, runnable
from tipr_zoo.schemas.declared import keys_of
from tipr_zoo.schemas.problems import UNKNOWN, problems_of

DEFAULT_MODEL = "DualEncoder"
"""The class of a recipe whose ``model`` has no ``type``."""

EVALUATION = "evaluation"
"""The entry of a recipe that says how its figures are measured. A recipe may leave it out."""

RECIPE_FIELDS, MODEL_FIELDS, TRAINING_FIELDS = map(keys_of, (RecipeFile, ModelSettings, TrainingSettings))


def load_recipe(card: ModelCard, overrides: Mapping[str, Any] | None = None) -> ConfigDict:
    """Read the recipe of a model, without importing any plugin.

    Args:
        card: The model's card; its ``config`` names the file.
        overrides: Entries to change, by dotted name, e.g. ``{"model.heads.id.num_identities": 100}``.

    Returns:
        A dict with ``model`` and ``training``. Where parts come from further plugins, ``plugins`` has their names.

    Raises:
        ConfigError: The file is missing or broken, a tower or the tokenizer is left out, or an override goes through
            something that is no dict.
        UnknownNameError: The recipe has an entry that nothing reads.
        PluginError: The model's plugin is not installed.
    """
    return change_recipe(read_recipe(card), card, overrides or {})


def read_recipe(card: ModelCard, file: Path | None = None) -> ConfigDict:
    """Run the file of a model's recipe, which is Python, and return what it says, unchecked.

    Args:
        card: The model's card.
        file: The recipe in the place of the card's, such as a training's ``recipe.py``.

    Raises:
        ConfigError: The file is missing or broken.
        PluginError: The model's plugin is not installed.
    """
    recipe: ConfigDict = _run(card, file)._cfg_dict
    return recipe


def recipe_source(card: ModelCard) -> str:
    """Return the recipe of a model as one file of Python, with everything from its bases.

    Raises:
        ConfigError: The file is missing or broken.
        PluginError: The model's plugin is not installed.
    """
    return str(_run(card).pretty_text)


def _run(card: ModelCard, file: Path | None = None) -> Config:
    """Run the file of a model's recipe and those of its bases. The plugins that bases belong to are needed, too."""
    path = recipe_path(card) if file is None else _named_file(file)
    try:
        sources = find_sources(path)
        with runnable(sources) as file:
            recipe = Config.fromfile(file)
        needed = [name for name in sources.plugins if name != card.plugin]
        named = recipe.get("plugins", [])
        if needed and isinstance(named, (list, tuple)):
            recipe.plugins = [*named, *(name for name in needed if name not in named)]
        return recipe
    except TiprZooError:
        raise
    except (Exception, SystemExit) as error:  # a recipe is Python, so anything can go wrong in it
        raise ConfigError(f"recipe {path} of {card.name} cannot be read: {_said(error)}; mend it there") from error


def _said(error: BaseException) -> str:
    """Return the kind of an error, and what it says besides."""
    kind, line = type(error).__name__, error_line(error)
    return kind if line == kind else f"{kind}: {line}"


def change_recipe(recipe: ConfigDict, card: ModelCard, overrides: Mapping[str, Any]) -> ConfigDict:
    """Change entries of a recipe, and check that it is one.

    Args:
        recipe: From `read_recipe`; changed in place.
        card: The model's card.
        overrides: Entries to change, by dotted name.

    Returns:
        The recipe.

    Raises:
        ConfigError: A tower or the tokenizer is left out, or an override goes through something that is no dict.
        UnknownNameError: The recipe has an entry that nothing reads.
    """
    path = recipe_path(card)
    for name, value in overrides.items():
        _override(recipe, name, value)
    if not isinstance(recipe.get("model"), Mapping):
        raise ConfigError(f"recipe {path} of {card.name} has no 'model', a dict of its components")
    is_of_its_own = recipe.model.get("type", DEFAULT_MODEL) != DEFAULT_MODEL  # its constructor says what it takes
    for entry in () if is_of_its_own else ("image_encoder", "text_encoder", "tokenizer"):
        if not isinstance(recipe.model.get(entry), Mapping):
            raise ConfigError(f"recipe {path} of {card.name} has no 'model.{entry}', a dict with a 'type'")
    if not isinstance(recipe.setdefault("training", {}), Mapping):
        raise ConfigError(f"recipe {path} of {card.name}: 'training' must be a dict, got {recipe['training']!r}")
    for place, known in {"": RECIPE_FIELDS, "model": MODEL_FIELDS, "training": TRAINING_FIELDS}.items():
        if place == "model" and is_of_its_own:
            continue
        for entry in recipe[place] if place else recipe:
            if entry not in known:
                raise unknown_name(
                    "recipe entry", f"{place}.{entry}".strip("."), [f"{place}.{k}".strip(".") for k in known]
                )
    evaluation_settings(recipe)  # says at once what is wrong with them
    return recipe


def evaluation_settings(recipe: Mapping[str, Any]) -> EvaluationSettings:
    """Return how a recipe says that its figures are measured; the defaults where it says nothing.

    Raises:
        ConfigError: The ``evaluation`` entry is no dict, or a value makes no sense.
        UnknownNameError: It has an entry that nothing reads.
    """
    given = recipe.get(EVALUATION)
    if given is None:
        return EvaluationSettings()
    if not isinstance(given, Mapping):
        raise ConfigError(f"the recipe's {EVALUATION} must be a dict, such as dict(rerank=128), got {given!r}")
    for problem in problems_of(EvaluationSettings, given, f"entry of {EVALUATION}"):
        if problem.kind == UNKNOWN:
            raise UnknownNameError(problem.message)
        raise ConfigError(f"the recipe's {EVALUATION}: {problem.message}")
    return EvaluationSettings(**given)


def import_plugins(card: ModelCard, recipe: Mapping[str, Any]) -> None:
    """Import the card's plugin and those that the recipe names besides, so that their components are registered.

    Raises:
        ConfigError: ``plugins`` is no list of names.
        PluginError: A plugin is missing or broken.
    """
    names = recipe.get("plugins", [])
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"plugins of a recipe must be a list of names, e.g. ['sen'], got {names!r}")
    for name in [*([card.plugin] if card.plugin else []), *names]:
        import_plugin(name)


def recipe_path(card: ModelCard) -> Path:
    """Return the file that holds the recipe of a model.

    Raises:
        ConfigError: There is no such file.
        PluginError: The model's plugin is not installed.
    """
    folder = configs_folder(card.plugin)
    path = (folder / card.config) if folder else None
    if path is None or not os.path.isfile(path):  # which is False for a name that no file can have
        owner = f"plugin {card.plugin!r}" if card.plugin else "the core"
        raise ConfigError(f"{card.path}: config {card.config!r} is not among the {CONFIGS_FOLDER} of {owner}")
    return path


def _named_file(file: Path) -> Path:
    """Return a recipe that somebody names, checked."""
    if not file.is_file():
        raise ConfigError(f"there is no recipe at {file}; a training leaves one in its work dir, recipe.py")
    if file.suffix not in (".py", ".json", ".yaml", ".yml"):
        raise ConfigError(f"recipe {file} is no file that MMEngine reads; its name must end in .py, .json or .yaml")
    return file


def _override(recipe: ConfigDict, name: str, value: Any) -> None:
    """Set one entry by its dotted name; dicts on the way must exist, except ``training``'s and ``evaluation``."""
    *parents, last = name.split(".")
    place: Any = recipe
    for depth, parent in enumerate(parents):
        if not isinstance(place, Mapping):
            raise ConfigError(f"override {name!r}: {'.'.join(parents[:depth])} is no dict")
        if depth == 0 and parent == EVALUATION and parent not in place:
            place[parent] = {}  # type: ignore[index]  # as below
        if parent not in place and parents[:depth] == ["training"] and parent in TRAINING_FIELDS:
            place[parent] = {}  # type: ignore[index]  # as below
        if parent not in place:
            raise unknown_name(
                "recipe entry", ".".join(parents[: depth + 1]), [".".join([*parents[:depth], k]) for k in place]
            )
        place = place[parent]
    if not isinstance(place, Mapping):
        raise ConfigError(f"override {name!r}: {'.'.join(parents)} is no dict")
    place[last] = value  # type: ignore[index]  # Mapping has no item assignment, a recipe's dicts have
