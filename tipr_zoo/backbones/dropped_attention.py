"""CLIP's causal attention with dropout of its weights in training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.models.clip.modeling_clip import CLIPAttention

from tipr_zoo.distributed import rand_rows


class DroppedAttention(CLIPAttention):
    """Causal attention that in training drops each of its weights with the probability ``attention_dropout``.

    What is drawn for a row does not depend on how many processes share the batch, which PyTorch's own fused attention
    cannot promise. In evaluation it is transformers' attention, bit for bit.
    """

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **arguments: Any
    ) -> tuple[Tensor, Tensor | None]:
        """Attend to the tokens before each token and to itself: (B, L, W) -> (B, L, W), and no weights."""
        if not (self.training and self.dropout):
            given: tuple[Tensor, Tensor | None] = super().forward(hidden_states, attention_mask, **arguments)
            return given
        queries, keys, values = (
            projection(hidden_states).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        rows, length = hidden_states.shape[:2]
        device = hidden_states.device
        later = torch.ones(length, length, dtype=torch.bool, device=device).triu(1)
        weights = (queries * self.scale @ keys.transpose(2, 3)).masked_fill(later, -torch.inf).softmax(dim=-1)
        kept = rand_rows(rows, self.num_heads, length, length, device=device) >= self.dropout
        attended = (weights * kept / (1 - self.dropout)).to(values.dtype) @ values
        return self.out_proj(attended.transpose(1, 2).flatten(2)), None
