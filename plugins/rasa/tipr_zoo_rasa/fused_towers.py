"""What the trained model and its momentum copy have in common: two towers, their projections, and the cross-encoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tipr_zoo.sentence_ends import end_positions
from tipr_zoo_rasa.cross_attention_layers import KeysValues


class FusedTowers:
    """Both towers and the cross-encoder behind them, as `RaSa` and its `MomentumTowers` have them.

    Attributes:
        image_encoder: Maps (B, 3, H, W) pictures to (B, T, image width) tokens.
        text_encoder: Maps (B, L) ids to (B, L, width) tokens.
        fusion_encoder: Lets tokens of captions attend to those of pictures; see `CrossAttentionLayers`.
        image_projection: Maps the first token of a picture to its embedding.
        text_projection: Maps the first token of a caption to its embedding.
        neck: What both embeddings go through after it, where there is such.
    """

    image_encoder: Any
    text_encoder: Any
    fusion_encoder: Any
    image_projection: Any
    text_projection: Any
    neck: Any

    def embeddings_of_tokens(self, image_tokens: Tensor, text_tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return both (B, D) embeddings, not of unit length."""
        projected = self.image_projection(image_tokens[:, 0]), self.text_projection(text_tokens[:, 0])
        return projected if self.neck is None else self.neck(*projected)

    def seen(self, ids: Tensor) -> Tensor:
        """Tell which tokens are no padding: (B, L) int64 -> (B, L) bool."""
        return seen_tokens(self.text_encoder, ids)

    def fused(self, ids: Tensor, pictures: KeysValues) -> Tensor:
        """Encode captions, and let them attend to one picture each: (B, L) ids -> (B, L, width)."""
        fused: Tensor = self.fusion_encoder(self.text_encoder(ids), self.seen(ids), pictures)
        return fused


def seen_tokens(text_encoder: object, ids: Tensor) -> Tensor:
    """Tell which tokens are no padding: (B, L) int64 -> (B, L) bool."""
    return torch.arange(ids.shape[1], device=ids.device) <= end_positions(text_encoder, ids).unsqueeze(1)
