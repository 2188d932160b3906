"""Several similarities as one: the mean of cosines is the cosine of the unit vectors laid end to end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tipr_zoo.errors import ConfigError


def joined_embedding(parts: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
    """Join embeddings, so that the cosine of two joined ones is the weighted mean of the cosines of their parts.

    >>> pictures = joined_embedding([torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0, 0.0]])])
    >>> captions = joined_embedding([torch.tensor([[4.0, 3.0]]), torch.tensor([[0.0, 1.0, 0.0]])])
    >>> round(torch.cosine_similarity(pictures, captions).item(), 4)  # the mean of 0.96 and 1
    0.98

    Args:
        parts: (B, D_k) float each, of any length; at least one.
        weights: Weight of each part, 0 or more; all equal where they are left out.

    Returns:
        (B, sum of D_k), of unit length where no part is zero.

    Raises:
        ConfigError: There is not one weight for each part, one is below 0, or all are 0.
    """
    weights = [1.0] * len(parts) if weights is None else list(weights)
    if len(weights) != len(parts) or any(not weight >= 0 for weight in weights) or not 0 < sum(weights) < float("inf"):
        raise ConfigError(f"{len(parts)} parts need as many weights from 0, not all 0, got {weights}")
    shares = [(weight / sum(weights)) ** 0.5 for weight in weights]
    return torch.cat([share * F.normalize(part, dim=-1) for share, part in zip(shares, parts, strict=True)], dim=-1)
