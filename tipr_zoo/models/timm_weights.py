"""Weights of an image tower as timm has them, loaded into the image tower of a model that is to be trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.backbones import VisionTransformerEncoder
from tipr_zoo.backbones.position_grid import learned_grid, resize_position_grid
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import WeightsError
from tipr_zoo.models.clip_weights import parts_besides
from tipr_zoo.terminal.log import logger
from tipr_zoo.weights.official_sizes import listed
from tipr_zoo.weights.tensors import first_of

_TRUNK = "image_encoder.trunk."
_POSITIONS = ("pos_embed", "head.pos_embed")
"""Learned positions of transformers, and of the attention pooling of CLIP's ResNets."""
_CLASSIFIERS = ("head", "head_dist", "fc", "classifier", "head.fc", "head.l")
"""Where timm's models have the layer that tells ImageNet's classes apart; `pretrained_cfg` says it of each."""


def load_timm_tower(model: DualEncoder, tensors: Mapping[str, Tensor], place: str) -> None:
    """Load an image tower's weights, every tensor but the classifier's, in the model's own types.

    A learned position grid is resized to the model's, as CLIP's is. One log line says what was done and what of the
    model keeps its initialisation.

    Args:
        model: A model whose image tower is of timm's same model, as `VisionTransformerEncoder` and `TimmEncoder` have
            it. It is changed in place, and only if everything fits.
        tensors: Under timm's names.
        place: What to call the weights in messages.

    Raises:
        WeightsError: The image tower is not of timm's, or the weights do not fit it.
    """
    tower: Any = model.image_encoder
    trunk: Any = getattr(tower, "trunk", None)
    if not hasattr(trunk, "pretrained_cfg"):  # which all of timm's models have
        raise WeightsError(f"{place} fit no {type(tower).__name__}; they need a tower of timm's, such as TimmEncoder")
    own = trunk.state_dict()
    if isinstance(tower, VisionTransformerEncoder):  # its projection stands in the classifier's place
        own = {name: tensor for name, tensor in own.items() if not name.startswith("head.")}
    classifier = _classifier_names(trunk, tensors, own)
    state = {name: tensor for name, tensor in tensors.items() if name not in classifier}
    grids = _resize_positions(tower, own, state, place)
    if problems := _misfits(state, own):
        kind = trunk.pretrained_cfg.get("architecture") or type(trunk).__name__
        raise WeightsError(f"{place} do not fit the image tower, timm's {kind}: {first_of(problems)}")
    trunk.load_state_dict(state, strict=False)  # what fits was checked above
    initial = parts_besides(model.state_dict(), {_TRUNK + name for name in own})
    told = ["the image tower has timm's weights"]
    told += ["positions resized from {} x {} to {} x {}".format(*grids[0], *grids[1])] if grids else []
    told += [f"its classifier is left out: {listed(sorted(classifier))}"] if classifier else []
    told += [f"still random: {', '.join(initial)}"] if initial else []
    logger.warning("%s: %s", place, "; ".join(told))


def _classifier_names(trunk: Any, tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> set[str]:
    """Name the tensors of the classifier: those of a place of classifiers that are no tensors of the tower's own."""
    told = trunk.pretrained_cfg.get("classifier") or ()
    places = {*_CLASSIFIERS, *((told,) if isinstance(told, str) else told)}
    found = {name for name in tensors if name.rpartition(".")[0] in places}
    return found.difference(own)


def _resize_positions(
    tower: Any, own: Mapping[str, Tensor], state: dict[str, Tensor], place: str
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Fit learned positions, in place, to the tower's grid; return rows and columns before and after, if they differ.

    The positions of class token and registers, where there are some, are kept.
    """
    name = next((name for name in _POSITIONS if name in state and name in own), None)
    grid = getattr(tower, "grid_size", getattr(getattr(tower.trunk, "patch_embed", None), "grid_size", None))
    if name is None or grid is None or state[name].ndim != own[name].ndim or not 2 <= own[name].ndim <= 3:
        return None
    grid = (int(grid[0]), int(grid[1]))
    found, expected = state[name].flatten(0, -2), own[name].flatten(0, -2)
    prefix = len(expected) - grid[0] * grid[1]
    if prefix < 0 or len(found) <= prefix:
        return None  # told with everything else that is misshapen
    kept, patches = found[:prefix], found[prefix:]
    try:
        before = learned_grid(len(patches), grid)
        # `resize_position_grid` keeps one position before the grid, whatever it is.
        resized = resize_position_grid(torch.cat([patches[:1], patches]).float(), grid)[1:]
    except WeightsError as error:
        raise WeightsError(f"{place}, {name}: {error}") from None
    if before == grid:
        return None
    resized = torch.cat([kept.float(), resized])
    state[name] = resized.unsqueeze(0) if own[name].ndim == 3 else resized
    return before, grid


def _misfits(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """Name what has no place in the tower, has another shape there, or is missing for it: one text each."""
    problems = [f"{name} is left over" for name in state if name not in own]
    problems += [f"{name} is missing" for name in own if name not in state and not name.endswith("num_batches_tracked")]
    for name, tensor in state.items():
        if name in own and tensor.shape != own[name].shape:
            problems.append(f"{name} has shape {tuple(tensor.shape)}, the tower {tuple(own[name].shape)}")
        elif name in own and own[name].is_floating_point() and not tensor.is_floating_point():
            problems.append(f"{name} is {tensor.dtype}, and weights are floating-point numbers")
    return problems
