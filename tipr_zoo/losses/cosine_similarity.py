"""Cosine similarities between two sets of embeddings."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

TEMPERATURE_SCALE = 50.0
"""Similarities are multiplied by this before a softmax (1 / 0.02). It is fixed, not learned."""


def cosine_similarity(queries: Tensor, gallery: Tensor) -> Tensor:
    """(Q, D) and (G, D) embeddings -> (Q, G) cosines."""
    return F.normalize(queries, dim=-1) @ F.normalize(gallery, dim=-1).t()
