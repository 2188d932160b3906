"""Similarity distribution matching, from IRRA (arXiv 2303.12501, equations 5 to 8)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.checked_number import checked_number
from tipr_zoo.losses.cosine_similarity import TEMPERATURE_SCALE, cosine_similarity
from tipr_zoo.registries import LOSSES

EPSILON = 1e-8
"""The number that is added to the target distribution before its logarithm, as in the official code."""


def matching_distribution(pids: Tensor) -> Tensor:
    """Spread each row evenly over the items of the same identity: (B,) int64 -> (B, B) float32 with rows of sum 1.

    >>> matching_distribution(torch.tensor([4, 9, 4])).tolist()
    [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]
    """
    same = (pids.unsqueeze(1) == pids.unsqueeze(0)).float()
    return same / same.sum(dim=1, keepdim=True)


def row_divergences(logits: Tensor, target: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Compute the KL divergence of each row's softmax from its target.

    Args:
        logits: (B, B) float, scaled similarities.
        target: (B, B) float, rows of sum 1.
        epsilon: What is added to the target before its logarithm.

    Returns:
        (B,) sum over j of p_ij (log p_ij - log(q_ij + epsilon)).
    """
    log_probability = torch.log_softmax(logits, dim=1)
    return (log_probability.exp() * (log_probability - (target + epsilon).log())).sum(dim=1)


@LOSSES.register_module()
class SDM(nn.Module):
    """Similarity distribution matching: it draws the softmax over similarities to the distribution of identities.

    The loss is the mean over rows of KL(p || q), image to text plus text to image.

    Args:
        scale: What similarities are multiplied by before the softmax; 50 as in the official code. Towers that start
            from nothing learn sooner with a smaller one: where p is sure of a wrong pair, KL(p || q) has no gradient.

    Raises:
        ConfigError: `scale` is no number above 0.
    """

    needs_patch_tokens = False

    def __init__(self, scale: float = TEMPERATURE_SCALE) -> None:
        super().__init__()
        self.scale = checked_number("scale of SDM", scale, is_scale=True)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of a batch, a scalar. Needs ``pids``."""
        logits = self.scale * cosine_similarity(features.image_embedding, features.text_embedding)
        target = matching_distribution(batch["pids"])
        return row_divergences(logits, target).mean() + row_divergences(logits.t(), target).mean()
