"""The size of a model: its parameters, embeddings and pictures, told by building it without numbers."""

from __future__ import annotations

import torch

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.schema import SizeBlock
from tipr_zoo.models.resolved_model import resolve_card
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.models.similarity_part import of_part


def model_size(card: ModelCard) -> SizeBlock:
    """Build the model of a card on the device "meta", which has shapes and no numbers, and count.

    Args:
        card: The model's card. Its plugin must be installed.

    Raises:
        PluginError: The plugin is missing or broken.
        ConfigError: The recipe is missing, or makes no sense.
        UnknownNameError: There is no such component.
    """
    with torch.device("meta"), torch.no_grad():
        model = build_retriever(resolve_card(card).recipe.model).eval()
        height, width = model.image_size
        embedding = model.encode_image(torch.empty(1, 3, height, width))
        parts = {name: of_part(embedding, model, name).shape[1] for name in getattr(model, "parts", None) or {}}
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return SizeBlock(
        parameters=parameters,
        embedding=embedding.shape[1],
        input=(height, width),
        parts=parts,
    )
