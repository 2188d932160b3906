"""What embeds pictures alone: a model without its text tower, for one picture more in a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from tipr_zoo.backbones.plain_vision_transformer import plain_image_tower
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.models.recipe import DEFAULT_MODEL
from tipr_zoo.models.recipe_values import build_component, checked_channels
from tipr_zoo.models.resolved_model import ResolvedModel
from tipr_zoo.pictures.preprocessing import ImageNormalisation
from tipr_zoo.registries import BACKBONES
from tipr_zoo.weights.opening import open_weights
from tipr_zoo.weights.recognition import WeightsKind
from tipr_zoo.weights.tensors import load_tensors


def load_image_side(resolved: ResolvedModel, file: Path, device: torch.device) -> BuiltModel | None:
    """Load what embeds pictures, without importing timm.

    Args:
        resolved: The model.
        file: Its weights, on this machine.
        device: Where it is to live.

    Returns:
        A model in eval mode of which ``preprocess`` and ``encode_image`` are of use; None where all of the model is
        needed for that, or where its weights are not the zoo's own.

    Raises:
        WeightsError: The weights are damaged or do not fit.
        ConfigError: The recipe makes no sense.
    """
    recipe = resolved.recipe.model
    tower = plain_image_tower(recipe["image_encoder"]) if recipe.get("type", DEFAULT_MODEL) == DEFAULT_MODEL else None
    if tower is None:
        return None
    opened = open_weights(file)
    if opened.recognised.kind is not WeightsKind.ZOO:
        return None
    neck = build_component(BACKBONES, recipe["neck"], "model.neck") if recipe.get("neck") else None
    normalisation = ImageNormalisation(**checked_channels(recipe))
    model = DualEncoder(tower, None, None, {}, {}, {}, normalisation, neck)  # type: ignore[arg-type]  # no sentences
    own = model.state_dict()
    load_tensors(model, {name: value for name, value in opened.tensors.items() if name in own}, file)
    return cast(BuiltModel, model.to(device).eval())
