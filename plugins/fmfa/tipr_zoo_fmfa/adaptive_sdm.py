"""Adaptive similarity distribution matching, from FMFA (arXiv 2509.13754, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.checked_number import checked_number
from tipr_zoo.losses.cosine_similarity import TEMPERATURE_SCALE, cosine_similarity
from tipr_zoo.losses.sdm import matching_distribution, row_divergences
from tipr_zoo.registries import LOSSES


@LOSSES.register_module()
class AdaptiveSDM(nn.Module):
    """SDM with weighted rows. A row weighs more if its true match is further below the best match of the batch.

    With cosines c, their softmax p and the target distribution q, row i is multiplied by

    - ``"code"``, the form of the published code: 1 + factor (max_k c_ik - c_ij), where j is the first item of row i's
      identity;
    - ``"paper"``: 1 + alpha (max_k p_ik - p_ii).

    Picture to text and text to picture are each weighted by their own rows. The gradient flows through the weights.

    Args:
        variant: ``"code"`` or ``"paper"``.
        factor: Strength of the weighting in the ``"code"`` variant.
        alpha: Strength of the weighting in the ``"paper"`` variant: 10, and 1 on RSTPReid.
        scale: Factor of the similarities before the softmax. 50 as in the published code.

    Raises:
        ConfigError: `variant` is none of these two, or another argument is no number.
    """

    needs_patch_tokens = False

    def __init__(
        self, variant: str = "code", factor: float = 0.1, alpha: float = 10.0, scale: float = TEMPERATURE_SCALE
    ) -> None:
        super().__init__()
        if variant not in ("code", "paper"):
            raise ConfigError(f"variant of AdaptiveSDM must be 'code' or 'paper', got {variant!r}")
        self.variant = variant
        self.depends_on_row_order = variant == "code"  # "code" uses the first item of an identity
        self.factor = checked_number("factor of AdaptiveSDM", factor)
        self.alpha = checked_number("alpha of AdaptiveSDM", alpha)
        self.scale = checked_number("scale of AdaptiveSDM", scale, is_scale=True)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Return the loss of a batch, a scalar. It needs ``pids``."""
        cosines = cosine_similarity(features.image_embedding, features.text_embedding)
        target = matching_distribution(batch["pids"])
        return self._one_way(cosines, target) + self._one_way(cosines.t(), target)

    def _one_way(self, cosines: Tensor, target: Tensor) -> Tensor:
        """Return the mean over rows of the weighted divergences. Both arguments are (B, B)."""
        logits = self.scale * cosines
        return (self._weights(cosines, logits, target) * row_divergences(logits, target)).mean()

    def _weights(self, cosines: Tensor, logits: Tensor, target: Tensor) -> Tensor:
        """Return a factor of at least 1 for each row: (B,)."""
        if self.variant == "code":
            best = cosines.max(dim=1).values
            first_positive = target.argmax(dim=1, keepdim=True)
            return 1 + self.factor * (best - cosines.gather(1, first_positive).squeeze(1))
        probability = torch.softmax(logits, dim=1)
        return 1 + self.alpha * (probability.max(dim=1).values - probability.diagonal())
