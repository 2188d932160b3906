"""Cross-modal triplets with the hardest negative of the batch, from SEN (arXiv 2307.09059)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.checked_number import checked_number
from tipr_zoo.losses.cosine_similarity import cosine_similarity
from tipr_zoo.registries import LOSSES


@LOSSES.register_module()
class CrossModalTriplet(nn.Module):
    """A caption must be nearer to its own picture than to the most similar picture of another identity, by a margin.

    The distance is 1 - cosine. Each caption gives one triplet with the pictures. Each picture gives one with the
    captions. The loss is the mean over the captions plus the mean over the pictures. The choice of the negative has no
    gradient.

    Args:
        margin: The margin, as a distance.

    Raises:
        ConfigError: `margin` is no number.
    """

    needs_patch_tokens = False

    def __init__(self, margin: float = 0.05) -> None:
        super().__init__()
        self.margin = checked_number("margin of CrossModalTriplet", margin)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Return the loss of a batch, a scalar. It is 0 where the batch has only one identity. It needs ``pids``."""
        cosines = cosine_similarity(features.text_embedding, features.image_embedding)
        same = batch["pids"].unsqueeze(1) == batch["pids"].unsqueeze(0)
        if bool(same.all()):
            return cosines.sum() * 0.0  # 0, but a function of the features, so that backward() works
        return self._one_way(cosines, same) + self._one_way(cosines.t(), same)

    def _one_way(self, cosines: Tensor, same: Tensor) -> Tensor:
        """Return the mean over the anchors, which are the rows of ``cosines``. Both arguments are (B, B)."""
        hardest = cosines.detach().masked_fill(same, -torch.inf).argmax(dim=1, keepdim=True)
        negative = cosines.gather(1, hardest).squeeze(1)
        return torch.relu(negative - cosines.diagonal() + self.margin).mean()
