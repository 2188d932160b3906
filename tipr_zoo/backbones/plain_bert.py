"""BERT's layers, plain and named as transformers names them. They embed; they are not trained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.backbones.multi_head_attention import attend

_EPSILON = 1e-12
"""Of BERT's layer normalisations."""


class PlainBert(nn.Module):
    """What stands in the place of transformers' ``BertModel`` without its pooling layer.

    Args:
        vocabulary_size: Number of token ids.
        positions: How many positions are learned.
        width: Width W of the tokens.
        depth: Number of blocks.
        num_heads: Attention heads of a block.
    """

    def __init__(self, vocabulary_size: int, positions: int, width: int, depth: int, num_heads: int) -> None:
        super().__init__()
        self.embeddings = _Embeddings(vocabulary_size, positions, width)
        self.encoder: Any = nn.Module()
        self.encoder.layer = nn.ModuleList(_Block(width, num_heads) for _ in range(depth))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        """Encode captions.

        Args:
            input_ids: (B, L) int64.
            attention_mask: (B, L) int64, 0 for padding.

        Returns:
            ``last_hidden_state``, (B, L, W).
        """
        tokens, seen = self.embeddings(input_ids), attention_mask.bool()[:, None, None]
        for block in self.encoder.layer:
            tokens = block(tokens, seen)
        return SimpleNamespace(last_hidden_state=tokens)


class _Embeddings(nn.Module):
    def __init__(self, vocabulary_size: int, positions: int, width: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary_size, width, padding_idx=0)
        self.position_embeddings = nn.Embedding(positions, width)
        self.token_type_embeddings = nn.Embedding(2, width)
        self.LayerNorm = nn.LayerNorm(width, eps=_EPSILON)

    def forward(self, input_ids: Tensor) -> Tensor:
        tokens = self.word_embeddings(input_ids) + self.token_type_embeddings.weight[0]
        normed: Tensor = self.LayerNorm(tokens + self.position_embeddings.weight[: input_ids.shape[1]])
        return normed


class _Block(nn.Module):
    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.attention: Any = nn.Module()
        self.attention.self = _Attention(width, num_heads)
        self.attention.output = _AddedAndNormed(width, width)
        self.intermediate: Any = nn.Module()
        self.intermediate.dense = nn.Linear(width, 4 * width)
        self.output = _AddedAndNormed(4 * width, width)

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        tokens = self.attention.output(self.attention.self(tokens, seen), tokens)
        hidden: Tensor = self.output(F.gelu(self.intermediate.dense(tokens)), tokens)
        return hidden


class _Attention(nn.Module):
    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_attention_heads = num_heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def forward(self, tokens: Tensor, seen: Tensor) -> Tensor:
        projected = self.query(tokens), self.key(tokens), self.value(tokens)
        return attend(*projected, self.num_attention_heads, seen)


class _AddedAndNormed(nn.Module):
    def __init__(self, given: int, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(given, width)
        self.LayerNorm = nn.LayerNorm(width, eps=_EPSILON)

    def forward(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        normed: Tensor = self.LayerNorm(self.dense(hidden) + tokens)
        return normed
