"""Attention with several heads, after the projections and before the last one."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, num_heads: int, mask: Tensor | None = None, is_causal: bool = False
) -> Tensor:
    """Attend with each head's share of the width.

    Args:
        queries: (B, Q, W) projected queries.
        keys: (B, T, W) projected keys.
        values: (B, T, W) projected values.
        num_heads: Among how many heads W is shared out.
        mask: bool that broadcasts to (B, heads, Q, T), true where a query may look; None for everywhere.
        is_causal: Whether a query sees what stands before it, and itself, alone. Not with a mask.

    Returns:
        (B, Q, W), the heads beside each other.
    """
    own, seen, taken = (part.unflatten(2, (num_heads, -1)).transpose(1, 2) for part in (queries, keys, values))
    attended = F.scaled_dot_product_attention(own, seen, taken, attn_mask=mask, is_causal=is_causal)
    return attended.transpose(1, 2).flatten(2)
