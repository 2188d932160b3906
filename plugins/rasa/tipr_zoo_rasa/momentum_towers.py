"""The momentum copy of the model, which follows it slowly and is its teacher."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn

from tipr_zoo_rasa.fused_towers import FusedTowers

COPIED = ("image_encoder", "text_encoder", "fusion_encoder", "image_projection", "text_projection", "neck")
"""The parts of the model that the copy has."""


class MomentumTowers(FusedTowers, nn.Module):
    """A copy of both towers, the cross-encoder, the projections and the prediction of words, which learns nothing.

    Args:
        model: What is copied: it has the parts of `COPIED`; the neck may be None.
        masked_words: The head that predicts words, copied as well; None where the model has none.
    """

    def __init__(self, model: nn.Module, masked_words: nn.Module | None) -> None:
        super().__init__()
        for name in COPIED:
            setattr(self, name, deepcopy(getattr(model, name)))
        self.masked_words = deepcopy(masked_words)
        self.requires_grad_(False)

    @torch.no_grad()
    def follow(self, model: nn.Module, masked_words: nn.Module | None, kept: float) -> None:
        """Move towards the model after it has learned.

        Args:
            model: The model, on the same device.
            masked_words: Its head that predicts words.
            kept: The share of each number that stays; the rest is the model's.
        """
        own, others = zip(*self._pairs(model, masked_words), strict=True)
        torch._foreach_lerp_(list(own), list(others), 1 - kept)

    def _pairs(self, model: nn.Module, masked_words: nn.Module | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each number of this copy with that of the model."""
        parts = [(getattr(self, name), getattr(model, name)) for name in COPIED if getattr(self, name) is not None]
        if self.masked_words is not None and masked_words is not None:
            parts.append((self.masked_words, masked_words))
        for copy, part in parts:
            yield from zip(copy.parameters(), part.parameters(), strict=True)
