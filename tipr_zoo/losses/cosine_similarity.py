"""Cosine similarities between two sets of embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE_SCALE = 50.0
"""The factor of similarities before a softmax (1 / 0.02). It is fixed, not learned."""


def cosine_similarity(queries: Tensor, gallery: Tensor) -> Tensor:
    """Compute cosines: (Q, D) and (G, D) embeddings -> (Q, G), in float32 also under autocast.

    Multiplied by 50, the rounding of a bfloat16 cosine would be as large as the differences that count.
    """
    with torch.autocast(queries.device.type, enabled=False):
        return F.normalize(queries.float(), dim=-1) @ F.normalize(gallery.float(), dim=-1).t()
