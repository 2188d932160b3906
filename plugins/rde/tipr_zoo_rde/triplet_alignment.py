"""Triplet alignment losses, from RDE (arXiv 2308.09911, equations 7 to 9)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.checked_number import checked_number
from tipr_zoo.losses.cosine_similarity import cosine_similarity
from tipr_zoo.registries import LOSSES
from tipr_zoo_rde.gate import checked_part, compared, same_identity, verdicts

LARGEST_SUM = 1e36
"""The published code cuts the sum of exponentials off here, which float32 just holds."""


@LOSSES.register_module()
class TripletAlignment(nn.Module):
    """Triplet alignment loss (TAL): a pair must be closer than all wrong ones together, by a margin.

    The hardest wrong match is replaced by the log-sum-exp over all of them. That is an upper bound, and lets a noisy
    pair do less harm. The loss is the sum over the clean pairs, not their mean, of both directions.

    Args:
        part: The part of the similarity that is compared, e.g. ``"tse"``; None for the model's first.
        temperature: Temperature tau of the exponentials.
        margin: Margin m.
        hardest: Whether the hardest wrong match counts alone, as in a usual triplet loss (TRL).

    Raises:
        ConfigError: The temperature is not above 0, a number is not finite, or an argument is of another kind.
    """

    needs_patch_tokens = False

    def __init__(
        self, part: str | None = None, temperature: float = 0.015, margin: float = 0.1, hardest: bool = False
    ) -> None:
        super().__init__()
        self.part = checked_part("part of TripletAlignment", part)
        self.temperature = checked_number("temperature of TripletAlignment", temperature, is_scale=True)
        self.margin = checked_number("margin of TripletAlignment", margin)
        if not isinstance(hardest, bool):
            raise ConfigError(f"hardest of TripletAlignment must be True or False, got {hardest!r}")
        self.hardest = hardest

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of a batch, a scalar. Needs ``pids``; takes ``label_hat``, the verdict on each pair."""
        losses = self.pair_losses(features, batch)
        return (losses * verdicts(batch, losses)).sum()

    def pair_losses(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of each pair, whatever the verdict on it: (B,)."""
        image, text = compared(features, self.part)
        cosines, same = cosine_similarity(text, image), same_identity(batch)
        return self._direction(cosines, same) + self._direction(cosines.t(), same)

    def _direction(self, cosines: Tensor, same: Tensor) -> Tensor:
        """Compute the loss of each row of (B, B) cosines."""
        scaled = cosines / self.temperature
        # The published code takes no gradient through the weights of the right matches.
        weights = scaled.masked_fill(~same, -torch.inf).softmax(dim=1).detach()
        right = (weights * cosines).sum(dim=1)
        # A row without a wrong match has nothing to be closer than, and adds 0.
        has_wrong = ~same.all(dim=1)
        if self.hardest:
            wrong = cosines.masked_fill(same, -1.0).amax(dim=1)
        else:
            filled = scaled.masked_fill(same & has_wrong.unsqueeze(1), -torch.inf)
            wrong = self.temperature * filled.logsumexp(dim=1).clamp(max=math.log(LARGEST_SUM))
        return torch.where(has_wrong, (self.margin - right + wrong).relu(), 0.0)
