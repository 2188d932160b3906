"""The features that one forward pass of a retriever gives. Every loss and head is computed from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

Batch = Mapping[str, Tensor]
"""A training batch: ``images`` (B, 3, H, W) float, ``caption_ids`` (B, L) int64 and ``pids`` (B,) int64. Where a head
needs them, also ``mlm_ids`` and ``mlm_labels``, both (B, L) int64, and ``mask_noise`` (B, 1 + N) float.
"""

TOKEN_ENTRIES = ("caption_ids", "mlm_ids", "mlm_labels")
"""The entries of a batch that are (B, L)."""


@dataclass(frozen=True)
class Features:
    """Projected features of a batch of B pairs of a picture and a caption.

    Attributes:
        image_tokens: (B, 1 + N, D) float, the class token first; (B, 1, D) where no objective needs patches.
        text_tokens: (B, L, D) float.
        image_embedding: (B, D) float, the class token, after the neck where there is one; not of unit length.
        text_embedding: (B, D) float, the token at the end of each caption, likewise.
    """

    image_tokens: Tensor
    text_tokens: Tensor
    image_embedding: Tensor
    text_embedding: Tensor
