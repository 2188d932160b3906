"""The tensors of a checkpoint of the official code, under official names and under the zoo's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.clip_names import clip_to_zoo
from tipr_zoo.errors import WeightsError
from tipr_zoo.official_names import head_key, to_zoo
from tipr_zoo.official_sizes import has_modified_resnet, tower_names
from tipr_zoo.weights import read_weights

TOWERS = "base_model."
"""What the names of both towers begin with."""

COUNTER = "num_batches_tracked"
"""What the name of a batch normalisation's counter ends with; nothing is computed from it."""


def is_official_format(tensors: Mapping[str, Any]) -> bool:
    """Whether these are the entries of a checkpoint of the official code, perhaps one level down."""
    inside = [tensors[entry] for entry in ("model", "state_dict") if isinstance(tensors.get(entry), Mapping)]
    return any(str(name).removeprefix("module.").startswith(TOWERS) for state in (tensors, *inside) for name in state)


def official_state(tensors: Mapping[str, Any], place: str) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of an official checkpoint under the zoo's names, whatever its method.

    Args:
        tensors: What the checkpoint's file holds.
        place: What to call it in messages.

    Returns:
        The tensors that the zoo has names for, and the official names of the others.

    Raises:
        WeightsError: A tower lacks a tensor, or there is something else than tensors.
    """
    official = official_tensors(tensors, place)
    towers = tower_names(official, place)
    used = {name: official[name] for name in official if name in set(towers) or head_key(name)}
    left_over = [name for name in official if name not in used and not name.endswith("." + COUNTER)]
    return zoo_state(used, has_modified_resnet(official)), left_over


def zoo_state(official: Mapping[str, Tensor], resnet: bool) -> dict[str, Tensor]:
    """Towers and heads under the zoo's names. Nothing is computed from a batch normalisation's count of batches."""
    towers = {name.removeprefix(TOWERS): tensor for name, tensor in official.items() if name.startswith(TOWERS)}
    heads = {name: tensor for name, tensor in official.items() if not name.startswith(TOWERS)}
    state = clip_to_zoo(towers, resnet) | to_zoo(heads)[0]
    norms = [name.removesuffix("running_var") for name in state if name.endswith(".running_var")]
    return state | {norm + COUNTER: torch.tensor(0) for norm in norms}


def official_tensors(checkpoint: str | Path | Mapping[str, Any], place: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint by official name, without entries around them and without ``module.``."""
    if isinstance(checkpoint, (str, Path)):
        checkpoint = read_weights(Path(checkpoint))
    if not isinstance(checkpoint, Mapping):
        raise WeightsError(f"a checkpoint is a file or a mapping, got {type(checkpoint).__name__}")
    state = checkpoint
    for entry in ("model", "state_dict"):
        if isinstance(state.get(entry), Mapping):
            state = state[entry]
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise WeightsError(f"{place} is no dict of tensors: {name!r} is of type {type(value).__name__}")
    tensors = {str(name).removeprefix("module."): value.detach() for name, value in state.items()}
    if len(tensors) < len(state):
        raise WeightsError(f"{place} has parameters twice, with and without 'module.' before their names")
    return tensors
