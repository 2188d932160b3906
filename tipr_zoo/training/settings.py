"""The ``training`` entry of a recipe: what it must say, and the dataclasses that its entries fill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch

from tipr_zoo.errors import ConfigError, UnknownNameError
from tipr_zoo.models import recipe_schema
from tipr_zoo.models.recipe_schema import TrainingSettings
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.problems import UNKNOWN, problems_of

T = TypeVar("T", bound=Declared)

WEIGHTS_DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in recipe_schema.WEIGHTS_DTYPES}
"""How the final weights can be stored."""


def check_training(training: Mapping[str, Any]) -> None:
    """Check that a recipe says all that training needs.

    Raises:
        ConfigError: An entry is missing or makes no sense.
        UnknownNameError: There is an entry that nothing reads.
    """
    for problem in problems_of(TrainingSettings, training, "entry of training{place}"):
        raise (UnknownNameError if problem.kind == UNKNOWN else ConfigError)(problem.message)


def check_objectives(name: str, model: Mapping[str, Any]) -> None:
    """Check that a recipe says what a model is to learn, before anything is read or drawn.

    Args:
        name: The model's name.
        model: The ``model`` entry of its recipe. A class of its own may have objectives that only building shows.

    Raises:
        ConfigError: It has neither losses nor heads.
    """
    entries = [model.get(kind) or {} for kind in ("losses", "heads")]
    given = any(entry is not None for each in entries if isinstance(each, Mapping) for entry in each.values())
    if not given and all(isinstance(each, Mapping) for each in entries) and "type" not in model:
        raise no_objective(name)


def no_objective(name: str) -> ConfigError:
    """Return the error for a model with no objective."""
    return ConfigError(
        f"the recipe of {name} has neither losses nor heads, so there is nothing to train; train a model that has an"
        " objective, e.g. irra_vitb16_cuhk, or add one: --cfg-options model.losses.sdm.type=SDM"
    )


def settings(kind: type[T], training: Mapping[str, Any], entry: str) -> T:
    """Fill a dataclass from an entry of ``training``; its defaults stand where the recipe says nothing.

    Args:
        kind: The dataclass. All its fields have defaults.
        training: The ``training`` entry of a recipe.
        entry: Which entry of it, e.g. ``"schedule"``.

    Raises:
        ConfigError: The entry is no dict, or a value makes no sense.
        UnknownNameError: The entry has a key that is no field of the dataclass.
    """
    given = training.get(entry, {})
    if not isinstance(given, Mapping):
        raise ConfigError(f"training.{entry} must be a dict, got {given!r}")
    for problem in problems_of(kind, given, f"entry of training.{entry}"):
        if problem.kind == UNKNOWN:
            raise UnknownNameError(problem.message)
        if problem.message.startswith(f"training.{entry}."):  # the field itself says what it takes
            raise ConfigError(problem.message)
        default, value = getattr(kind(), str(problem.key)), given[problem.key]
        raise ConfigError(f"training.{entry}.{problem.key} must be like {default!r}, got {value!r}")
    return kind(**given)
