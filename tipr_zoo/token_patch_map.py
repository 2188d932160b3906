"""The sparse map from text tokens to the patches of a picture, from FMFA (arXiv 2509.13754, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor


def token_patch_map(text_tokens: Tensor, patch_tokens: Tensor) -> Tensor:
    """Compute which patches each text token is most similar to, as weights.

    The dot products s = T V^T of a text token with the N patches are scaled to [0, 1] by their least and greatest.
    Those not above 1/N become 0, and the rest is divided by its sum. ``token_patch_map(T, V) @ V`` are the joint
    embeddings of FMFA's explicit fine-grained alignment. Where all patches are equally similar to a token, all weigh
    the same; the published code divides by zero there.

    Args:
        text_tokens: (..., L, D) float, projected and not normalised.
        patch_tokens: (..., N, D) float likewise, without the class token.

    Returns:
        (..., L, N) weights in [0, 1], each row of sum 1; the gradient flows through them.

    Example:
        >>> token_patch_map(torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 0.0], [3.0, 5.0], [1.0, 0.0]])).tolist()
        [[0.5, 0.5, 0.0]]
    """
    similarity = text_tokens @ patch_tokens.transpose(-1, -2)
    lowest, highest = similarity.min(dim=-1, keepdim=True).values, similarity.max(dim=-1, keepdim=True).values
    span = highest - lowest
    # Equal dot products may differ by rounding. Scaled to [0, 1], that would be noise.
    rounding = 4 * torch.finfo(similarity.dtype).eps * torch.maximum(lowest.abs(), highest.abs())
    is_constant = span <= rounding
    scaled = (similarity - lowest) / torch.where(is_constant, torch.ones_like(span), span)
    kept = torch.where(scaled > 1 / patch_tokens.shape[-2], scaled, torch.zeros_like(scaled))
    kept = torch.where(is_constant, torch.ones_like(kept), kept)
    return kept / kept.sum(dim=-1, keepdim=True)
