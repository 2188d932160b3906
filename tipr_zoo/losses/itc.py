"""Image-text contrast: the symmetric InfoNCE loss of CLIP (arXiv 2103.00020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.cosine_similarity import TEMPERATURE_SCALE, cosine_similarity
from tipr_zoo.registries import LOSSES


@LOSSES.register_module()
class ITC(nn.Module):
    """Symmetric InfoNCE: each picture belongs to its own caption alone, whatever the identities; mean of both ways."""

    needs_patch_tokens = False

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of a batch, a scalar."""
        logits = TEMPERATURE_SCALE * cosine_similarity(features.image_embedding, features.text_embedding)
        own = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, own) + F.cross_entropy(logits.t(), own)) / 2
