"""Cross-modal projection matching (Zhang and Lu, ECCV 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.sdm import row_divergences
from tipr_zoo.registries import LOSSES


@LOSSES.register_module()
class CMPM(nn.Module):
    """KL divergence between the softmax over scalar projections and the L2-normalised matches, both ways.

    One side of a projection is normalised and the other is not, and no temperature is used. The matches of a row are
    divided by their Euclidean norm rather than by their sum, as in the official code.
    """

    needs_patch_tokens = False

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of a batch, a scalar. Needs ``pids``."""
        image, text = features.image_embedding, features.text_embedding
        same = (batch["pids"].unsqueeze(1) == batch["pids"].unsqueeze(0)).float()
        target = same / torch.linalg.vector_norm(same, dim=1, keepdim=True)
        image_to_text = row_divergences(image @ F.normalize(text, dim=-1).t(), target)
        text_to_image = row_divergences(text @ F.normalize(image, dim=-1).t(), target)
        return image_to_text.mean() + text_to_image.mean()
