"""Pictures without colour, as SEN's restoration sees them."""

from __future__ import annotations

from torch import Tensor

GREY_WEIGHTS = (0.2989, 0.5870, 0.1140)
"""Shares of red, green and blue in grey."""


def grey(images: Tensor) -> Tensor:
    """Turn (..., 3, H, W) pictures grey: the same shape, the weighted mean of the channels in all three."""
    weights = images.new_tensor(GREY_WEIGHTS).view(3, 1, 1)
    return (images * weights).sum(dim=-3, keepdim=True).expand_as(images)
