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
    clip = training.get("clip_gradient_norm")
    if clip is not None and (isinstance(clip, bool) or not isinstance(clip, (int, float)) or not 0 < clip < math.inf):
        raise ConfigError(f"the recipe's training.clip_gradient_norm must be a number above 0, got {clip!r}")
    if training.get("weights_dtype", "float32") not in WEIGHTS_DTYPES:
        raise ConfigError(
            f"the recipe's training.weights_dtype must be one of {', '.join(WEIGHTS_DTYPES)},"
            f" got {training['weights_dtype']!r}"
        )
    if not isinstance(training.get("find_unused_parameters", False), bool):
        raise ConfigError(
            "the recipe's training.find_unused_parameters must be True or False, got"
            f" {training['find_unused_parameters']!r}"
        )
    if not isinstance(training.get("optimizer"), Mapping):
        raise ConfigError("the recipe has no training.optimizer, e.g. dict(type='AdamW', lr=1e-3)")


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


def _is_like(value: Any, default: Any) -> bool:
    """Whether a value is of its default's kind: a number, a truth value, a text, or as many of them."""
    if isinstance(default, (list, tuple)):
        return isinstance(value, (list, tuple)) and all(_is_like(item, default[0]) for item in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, (int, float)):
        return isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
    return isinstance(value, type(default))
