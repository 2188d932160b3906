"""What embeds sentences alone: a model without its image tower, for a search of pictures that are embedded already."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.models.resolved_model import ResolvedModel
from tipr_zoo.models.retriever_building import build_text_side
from tipr_zoo.weights.opening import open_weights
from tipr_zoo.weights.recognition import WeightsKind
from tipr_zoo.weights.tensors import load_tensors


def load_text_side(resolved: ResolvedModel, file: Path) -> BuiltModel | None:
    """Load what embeds sentences.

    Args:
        resolved: The model.
        file: Its weights, on this machine.

    Returns:
        A model in eval mode of which ``tokenize`` and ``encode_text`` are of use; None where all of the model is needed
        for that, or where its weights are not the zoo's own.

    Raises:
        WeightsError: The weights are damaged or do not fit.
        ConfigError: The recipe makes no sense.
    """
    model = build_text_side(resolved.recipe.model)
    if model is None:
        return None
    opened = open_weights(file)
    if opened.recognised.kind is not WeightsKind.ZOO:
        return None
    own = model.state_dict()
    load_tensors(model, {name: value for name, value in opened.tensors.items() if name in own}, file)
    return cast(BuiltModel, cast(object, model.eval()))
