"""The model as a training begins with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.models.objective_setup import set_up_objectives
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.models.starting_weights import load_starting_weights
from tipr_zoo.training.adapters import adapter_settings, add_adapters
from tipr_zoo.training.settings import no_objective


@dataclass(frozen=True)
class StartingModel:
    """A model that is going to be trained.

    Attributes:
        model: The model, on the CPU.
        set_up: Names of tensors that objectives added for the training.
    """

    model: DualEncoder
    set_up: Collection[str]


def starting_model(name: str, recipe: Mapping[str, Any], weights: Path | None) -> StartingModel:
    """Build a model with the seed of its recipe, load what it starts from, and set up its objectives.

    Args:
        name: The model's name.
        recipe: Its recipe, as it is trained by.
        weights: What to start from; None for random weights, or where a checkpoint comes later.

    Raises:
        ConfigError: It has nothing to learn from, or nothing that learns.
        WeightsError: The weights do not fit.
    """
    training = recipe["training"]
    torch.manual_seed(training.get("seed", 0))
    model = build_retriever(recipe["model"])
    _check_trainable(model, name)
    if weights is not None:
        load_starting_weights(model, weights)
    add_adapters(model, adapter_settings(training))
    # After the weights that it may copy, and before the checkpoint that has it.
    return StartingModel(model, set_up_objectives(model))


def _check_trainable(model: nn.Module, name: str) -> None:
    """Raise ConfigError where a model has nothing to learn from, or nothing that learns."""
    if hasattr(model, "objectives") and not model.objectives:
        raise no_objective(name)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(
            f"{type(model).__name__}, the model of {name}, has no parameters, so there is nothing to train"
        )
