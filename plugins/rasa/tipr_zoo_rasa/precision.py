"""Losses are computed in float32 at least, whatever the towers are computed in."""

from __future__ import annotations

import torch
from torch import Tensor


def in_full(numbers: Tensor) -> Tensor:
    """Return the numbers in float32, or in float64 where they are."""
    return numbers if numbers.dtype == torch.float64 else numbers.float()
