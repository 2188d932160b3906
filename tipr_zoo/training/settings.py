"""The ``training`` entry of a recipe: what it must say, and the dataclasses that its entries configure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import torch

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError

T = TypeVar("T")

WEIGHTS_DTYPES = {"float32": torch.float32, "float16": torch.float16}
"""How the final weights can be stored."""

LARGEST_SEED = 2**32 - 1
"""NumPy takes no larger one."""


def check_training(training: Mapping[str, Any]) -> None:
    """Check what a recipe must say to be trained by.

    Raises:
        ConfigError: An entry is missing or makes no sense.
    """
    for entry in ("batch_size", "max_epochs"):
        value = training.get(entry)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"the recipe's training.{entry} must be a whole number above 0, got {value!r}")
    for entry, smallest in {"seed": 0, "num_workers": 0, "validate_every": 1, "accumulate_steps": 1}.items():
        value = training.get(entry, smallest)
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            raise ConfigError(f"the recipe's training.{entry} must be a whole number from {smallest}, got {value!r}")
    if training.get("seed", 0) > LARGEST_SEED:
        raise ConfigError(f"the recipe's training.seed must be at most {LARGEST_SEED}, got {training['seed']}")
    clip = training.get("clip_gradient_norm")
    if clip is not None and (not _is_finite_number(clip) or clip <= 0):
        raise ConfigError(f"the recipe's training.clip_gradient_norm must be a number above 0, got {clip!r}")
    if training.get("weights_dtype", "float32") not in WEIGHTS_DTYPES:
        raise ConfigError(
            f"the recipe's training.weights_dtype must be one of {', '.join(WEIGHTS_DTYPES)},"
            f" got {training['weights_dtype']!r}"
        )
    for entry in ("find_unused_parameters", "masking", "trim_padding"):
        if not isinstance(value := training.get(entry, False), bool):
            raise ConfigError(f"the recipe's training.{entry} must be True or False, got {value!r}")
    _check_optimiser(training)


def _check_optimiser(training: Mapping[str, Any]) -> None:
    """Raises ConfigError where rates make no sense; the rest is for `tipr_zoo.training.loop.optimiser` to tell."""
    optimiser, multipliers = training.get("optimizer"), training.get("parameter_groups", {})
    if not isinstance(optimiser, Mapping):
        raise ConfigError("the recipe has no training.optimizer, e.g. dict(type='AdamW', lr=1e-3)")
    if not isinstance(multipliers, Mapping):
        raise ConfigError(f"the recipe's training.parameter_groups must be a dict, got {multipliers!r}")
    numbers = {f"optimizer.{entry}": optimiser.get(entry, 0.0) for entry in ("lr", "weight_decay")}
    numbers |= {f"parameter_groups.{rule}": multiplier for rule, multiplier in multipliers.items()}
    for entry, value in numbers.items():
        if not _is_finite_number(value) or value < 0:
            raise ConfigError(f"the recipe's training.{entry} must be a number from 0, got {value!r}")


def settings(kind: type[T], training: Mapping[str, Any], entry: str) -> T:
    """The dataclass that an entry of ``training`` configures, with its defaults where the entry is left out.

    Raises:
        ConfigError: The entry is no dict, or a value makes no sense.
        UnknownNameError: It has an entry that the dataclass has not.
    """
    given = training.get(entry, {})
    if not isinstance(given, Mapping):
        raise ConfigError(f"training.{entry} must be a dict, got {given!r}")
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in names:
            raise unknown_name(f"entry of training.{entry}", name, names)
    for field in fields(kind):  # type: ignore[arg-type]
        value = given.get(field.name, field.default)
        if not _is_like(value, field.default):
            raise ConfigError(f"training.{entry}.{field.name} must be like {field.default!r}, got {value!r}")
    return kind(**given)


def _is_finite_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_like(value: Any, default: Any) -> bool:
    """Whether a value is of its default's kind: a number, a truth value, a text, or as many of them."""
    if isinstance(default, (list, tuple)):
        return isinstance(value, (list, tuple)) and all(_is_like(item, default[0]) for item in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, (int, float)):
        return isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
    return isinstance(value, type(default))
