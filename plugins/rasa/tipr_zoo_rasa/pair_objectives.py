"""What is learned of pairs: whether they match (p-ITM), and whether the caption is the picture's own (PRD)."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.features import Batch, Features
from tipr_zoo.registries import HEADS
from tipr_zoo_rasa.fusion_features import needed
from tipr_zoo_rasa.precision import in_full


@HEADS.register_module()
class ProbabilisticMatching(nn.Module):
    """Tells a pair from two wrong ones, a picture and a caption drawn by how similar they are (p-ITM).

    The layer that tells them apart, ``matching_head``, is the model's, since it also ranks.
    """

    needs_patch_tokens = False
    needs_of_step = ("pairs",)

    def count_terms(self, batch: Batch) -> int:
        """Return the number of pairs, over which the mean is taken."""
        return 3 * len(batch["pids"])

    def forward(self, features: Features, batch: Batch, retriever: Any) -> Tensor:
        """Compute the cross-entropy, a scalar.

        Args:
            features: From `RaSa.features`.
            batch: Has ``pids``.
            retriever: Has the ``matching_head``.
        """
        logits = in_full(retriever.matching_head(needed(features, "pair_tokens", self)))
        labels = batch["pids"].new_tensor([1, 0, 0]).expand(len(logits), -1)
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


@HEADS.register_module()
class PositiveRelationDetection(nn.Module):
    """Tells a weak pair, whose caption was written for another picture of the person, from a strong one (PRD).

    Args:
        width: Width of the fused tokens.
    """

    needs_patch_tokens = False
    needs_of_step = ("pairs",)

    def __init__(self, width: int = 768) -> None:
        super().__init__()
        self.width = width
        self.relation = nn.Linear(width, 2)

    def count_terms(self, batch: Batch) -> int:
        """Return the number of rows, over which the mean is taken."""
        return len(batch["pids"])

    def forward(self, features: Features, batch: Batch, retriever: Any) -> Tensor:
        """Compute the cross-entropy, a scalar.

        Args:
            features: From `RaSa.features`.
            batch: Has no effect.
            retriever: Has no effect.
        """
        tokens, weak = needed(features, "pair_tokens", self)[:, 0], needed(features, "weak", self)
        return F.cross_entropy(in_full(self.relation(tokens)), weak)
