"""The models of the zoo that are CLIP as it is, and take its weights without a training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tipr_zoo.cards.card import ZERO_SHOT
from tipr_zoo.cards.index import card_index
from tipr_zoo.errors import TiprZooError
from tipr_zoo.models.clip_weights import fits_clip, is_plain_clip
from tipr_zoo.models.resolved_model import resolve_card
from tipr_zoo.models.retriever_building import build_retriever


def fitting_zero_shot_models(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the names of those models that CLIP's weights fit, whatever pictures these were made for.

    Args:
        tensors: The weights under the names of OpenAI or of transformers.
    """
    found = []
    for name, card in card_index().cards.items():
        if ZERO_SHOT not in card.tags:
            continue
        try:
            with torch.device("meta"):  # shapes are enough
                model = build_retriever(resolve_card(card).recipe.model)
        except TiprZooError:
            continue  # whoever uses it is told what is wrong with it
        if is_plain_clip(model) and fits_clip(model, tensors):
            found.append(name)
    return found
