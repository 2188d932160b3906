"""InfoNCE and similarity distribution matching over the clean pairs alone, as RDE's code offers them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.cosine_similarity import TEMPERATURE_SCALE, cosine_similarity
from tipr_zoo.losses.sdm import matching_distribution, row_divergences
from tipr_zoo.registries import LOSSES
from tipr_zoo_rde.gate import checked_part, compared, verdicts


class _Gated(nn.Module):
    """Mean of a loss over the clean pairs.

    Args:
        part: The part of the similarity that is compared, e.g. ``"tse"``; None for the model's first.

    Raises:
        ConfigError: `part` is neither a name nor None.
    """

    needs_patch_tokens = False

    def __init__(self, part: str | None = None) -> None:
        super().__init__()
        self.part = checked_part(f"part of {type(self).__name__}", part)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of a batch, a scalar. Needs ``pids``; takes ``label_hat``, the verdict on each pair."""
        losses = self.pair_losses(features, batch)
        clean = verdicts(batch, losses)
        return (losses * clean).sum() / clean.sum().clamp(min=1.0)  # without a clean pair there is nothing to learn

    def pair_losses(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of each pair, whatever the verdict on it: (B,)."""
        raise NotImplementedError

    def _logits(self, features: Features) -> Tensor:
        image, text = compared(features, self.part)
        return TEMPERATURE_SCALE * cosine_similarity(image, text)


@LOSSES.register_module()
class GatedITC(_Gated):
    """Symmetric InfoNCE of CLIP (arXiv 2103.00020) over the clean pairs; the mean of both directions."""

    def pair_losses(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of each pair, whatever the verdict on it: (B,)."""
        logits = self._logits(features)
        own = torch.arange(len(logits), device=logits.device)
        ways = (F.cross_entropy(way, own, reduction="none") for way in (logits, logits.t()))
        return sum(ways, logits.new_zeros(len(logits))) / 2


@LOSSES.register_module()
class GatedSDM(_Gated):
    """Similarity distribution matching of IRRA (arXiv 2303.12501) over the clean pairs; the sum of both directions."""

    def pair_losses(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of each pair, whatever the verdict on it: (B,)."""
        logits, target = self._logits(features), matching_distribution(batch["pids"])
        return row_divergences(logits, target) + row_divergences(logits.t(), target)
