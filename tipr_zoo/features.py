"""What one forward pass of a dual encoder gives, and what every loss and head is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

Batch = Mapping[str, Tensor]
"""A training batch: ``images`` (B, 3, H, W) float, ``caption_ids`` (B, L) int64, ``pids`` (B,) int64, and where a head
needs them ``mlm_ids`` and ``mlm_labels`` (B, L) int64 and ``mask_noise`` (B, 1 + N) float."""

TOKEN_ENTRIES = ("caption_ids", "mlm_ids", "mlm_labels")
"""The entries of a batch that are (B, L)."""


@dataclass(frozen=True)
class Features:
    """Projected features of a batch of B pairs of a picture and a caption.

    Attributes:
        image_tokens: (B, 1 + N, D), the class token first; (B, 1, D) where no objective needs patches.
        text_tokens: (B, L, D).
        image_embedding: (B, D), the class token, after the neck where there is one; not of unit length.
        text_embedding: (B, D), the token at the end of each caption, likewise.
    """

    image_tokens: Tensor
    text_tokens: Tensor
    image_embedding: Tensor
    text_embedding: Tensor
