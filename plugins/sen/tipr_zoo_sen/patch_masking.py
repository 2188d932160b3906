"""The hidden patches of a picture, and those of them that count in the loss (SEN, arXiv 2307.09059)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PatchMasking:
    """The visible and hidden patches of B pictures with N patches each.

    Attributes:
        visible: (B, K - 1) int64, the visible patches of each picture. The class token is always visible besides.
        restore: (B, N) int64, the rank of each patch in the order of drawing. The visible patches have 0 to K - 2.
        counted: (B, N - K) int64, the patches whose restoration enters the loss.
    """

    visible: Tensor
    restore: Tensor
    counted: Tensor


def mask_patches(noise: Tensor, hidden_share: float = 0.7) -> PatchMasking:
    """Hide the patches with the highest noise.

    Args:
        noise: (B, 1 + N) in [0, 1), one number a token, the class token first. The class token's number is not used.
        hidden_share: Share of the tokens that are hidden. The class token counts as a token.
    """
    num_visible = int(noise.shape[1] * (1 - hidden_share))
    order = noise[:, 1:].argsort(dim=1, stable=True)
    restore = order.argsort(dim=1)
    # K tokens are visible. The class token is one of them, so K - 1 patches are visible. Still, the published code
    # marks K patches as visible. So one hidden patch of each picture does not count. It is the same here, so that the
    # loss agrees.
    return PatchMasking(visible=order[:, : max(num_visible - 1, 0)], restore=restore, counted=order[:, num_visible:])


def place_visible(visible_tokens: Tensor, mask_token: Tensor, restore: Tensor) -> Tensor:
    """Put visible tokens back into their places, and the mask token into all other places.

    Args:
        visible_tokens: (B, K, D), the class token first.
        mask_token: (1, 1, D), the token of a hidden patch.
        restore: (B, N) int64; see `PatchMasking`.

    Returns:
        (B, 1 + N, D).
    """
    count, patches = restore.shape
    num_hidden = patches + 1 - visible_tokens.shape[1]
    drawn = torch.cat([visible_tokens[:, 1:], mask_token.expand(count, num_hidden, -1)], dim=1)
    placed = drawn.gather(1, restore.unsqueeze(2).expand(-1, -1, drawn.shape[2]))
    return torch.cat([visible_tokens[:, :1], placed], dim=1)
