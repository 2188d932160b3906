"""The ``training`` entry of a recipe: what it must say, and the dataclasses that its entries configure."""

from __future__ import annotations

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
    if training.get("weights_dtype", "float32") not in WEIGHTS_DTYPES:
        raise ConfigError(
            f"the recipe's training.weights_dtype must be one of {', '.join(WEIGHTS_DTYPES)},"
            f" got {training['weights_dtype']!r}"
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
    return kind(**given)
