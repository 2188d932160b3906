"""The tensors of a checkpoint of the official code, under official names and under the zoo's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.errors import WeightsError
from tipr_zoo.weights.clip_names import clip_to_zoo
from tipr_zoo.weights.official_names import head_key, to_zoo
from tipr_zoo.weights.opening import open_mapping
from tipr_zoo.weights.tensors import read_weights

TOWERS = "base_model."
"""The beginnings of the names of both towers."""

COUNTER = "num_batches_tracked"
"""The end of the name of a batch normalisation's counter; nothing is computed from it."""

_JOINT = re.compile(r"attn\.in_proj_(?:weight|bias)$")


def head_state(official: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Return the parameters of heads under the zoo's names, and the official names that are of no tower and no head."""
    heads = {name: tensor for name, tensor in official.items() if head_key(name)}
    left_over = [name for name in official if name not in heads and not name.startswith(TOWERS)]
    return to_zoo(heads)[0], left_over


def zoo_state(official: Mapping[str, Tensor], resnet: bool) -> dict[str, Tensor]:
    """Return towers and heads under the zoo's names. A batch normalisation's counter is 0: it changes no result."""
    towers = {name.removeprefix(TOWERS): tensor for name, tensor in official.items() if name.startswith(TOWERS)}
    heads = {name: tensor for name, tensor in official.items() if not name.startswith(TOWERS)}
    state = clip_to_zoo(towers, resnet) | to_zoo(heads)[0]
    norms = [name.removesuffix("running_var") for name in state if name.endswith(".running_var")]
    return state | {norm + COUNTER: torch.tensor(0) for norm in norms}


def official_tensors(checkpoint: str | Path | Mapping[str, Any], place: str) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by official name, without entries around them and without ``module.``.

    Args:
        checkpoint: A file, or what it holds.
        place: What messages call it.

    Raises:
        WeightsError: It cannot be read, or holds something else than whole, dense tensors, each once.
    """
    if isinstance(checkpoint, (str, Path)):
        state: Mapping[str, Any] = read_weights(Path(checkpoint))
    elif isinstance(checkpoint, Mapping):
        state = open_mapping(checkpoint, place)
    else:
        raise WeightsError(f"a checkpoint is a file or a mapping, got {type(checkpoint).__name__}")
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise WeightsError(f"{place} is no dict of tensors: {name!r} is of type {type(value).__name__}")
        if _JOINT.search(name) and (value.ndim == 0 or len(value) % 3):
            raise WeightsError(
                f"{place}: {name} has shape {tuple(value.shape)}, which cannot be cut into query, key and value"
            )
    return {name: value.detach() for name, value in state.items()}
