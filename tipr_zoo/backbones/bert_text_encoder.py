"""Text towers: BERT from transformers, with every token projected."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tipr_zoo.backbones.gradient_checkpointing import switch_layers
from tipr_zoo.backbones.last_attention import attention_weights, noted_input
from tipr_zoo.backbones.plain_bert import PlainBert
from tipr_zoo.backbones.plain_trunks import takes_plain_trunk
from tipr_zoo.backbones.tower_sizes import checked_text_heads
from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import BACKBONES


@BACKBONES.register_module()
class BertTextEncoder(nn.Module):
    """BERT (arXiv 1810.04805), whose tokens see the whole sentence and nothing of the padding after it.

    The embedding is the first token, ``[CLS]``. Its tokenizer is `tipr_zoo.tokenizers.BertTokenizer`.

    Args:
        embedding_size: Size D of the shared embedding space.
        vocabulary_size: Number of token ids; 0 is padding.
        context_length: Largest number of tokens L of a caption.
        width: Width of the tokens inside the tower.
        depth: Number of blocks.
        num_heads: Attention heads of a block; None for one head per 64 of the width.
        dropout: Share of numbers that training drops, of attention as well; BERT's by default.

    Raises:
        ConfigError: A size or share makes no sense.
    """

    is_causal = False
    may_have_plain_trunk = True
    masks_padding = True

    def __init__(
        self,
        embedding_size: int,
        vocabulary_size: int = 30522,
        context_length: int = 77,
        width: int = 768,
        depth: int = 12,
        num_heads: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        num_heads = checked_text_heads(embedding_size, vocabulary_size, context_length, width, depth, num_heads)
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
            raise ConfigError(f"dropout must be a number from 0 to below 1, got {dropout!r}")
        self.embedding_size = embedding_size
        self.context_length = context_length
        self.vocabulary_size = vocabulary_size
        sizes = (vocabulary_size, context_length, width, depth, num_heads)
        is_plain = takes_plain_trunk(type(self))
        self.trunk: Any = PlainBert(*sizes) if is_plain else _transformers_trunk(*sizes, dropout)
        self.text_projection = nn.Linear(width, embedding_size, bias=False)
        nn.init.normal_(self.text_projection.weight, std=width**-0.5)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks, from the first to the last."""
        return list(self.trunk.encoder.layer)

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Switch gradient checkpointing of the blocks in training: less memory, and each is computed twice."""
        switch_layers(self.blocks, enabled)

    @staticmethod
    def end_positions(ids: Tensor) -> Tensor:
        """Find the last token that is no padding: (B, L) int64 -> (B,) int64; 0 where all is padding."""
        return ((ids != 0).sum(dim=1) - 1).clamp(min=0)

    @staticmethod
    def pooled_positions(ids: Tensor) -> Tensor:
        """Return the first position of each row: (B, L) int64 -> (B,) int64."""
        return ids.new_zeros(len(ids), dtype=torch.int64)

    def forward(self, ids: Tensor) -> Tensor:
        """Encode captions.

        Args:
            ids: (B, L) int64 token ids, zero after the end token. L may be smaller than the context length.

        Returns:
            (B, L, D) projected tokens.
        """
        hidden = self.trunk(input_ids=ids, attention_mask=self._seen(ids).long()).last_hidden_state
        return self.text_projection(hidden)

    def encode_with_attention(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Encode captions, and tell what the first token attends to in the last block.

        Args:
            ids: (B, L) int64 token ids, zero after the end token.

        Returns:
            What `forward` gives, and (B, L) float, the attention of the first token to each token as the mean over the
            heads, without gradient. It is 0 after the end token, and a row sums to 1.
        """
        block = self.trunk.encoder.layer[-1]
        with noted_input(block) as given:
            tokens = self(ids)
        with torch.no_grad():
            attention, hidden = block.attention.self, given()
            queries, keys = attention.query(hidden[:, 0]), attention.key(hidden)
            weights = attention_weights(queries, keys, attention.num_attention_heads, self._seen(ids))
        return tokens, weights

    def _seen(self, ids: Tensor) -> Tensor:
        """Tell which tokens are no padding: (B, L) bool."""
        return torch.arange(ids.shape[1], device=ids.device) <= self.end_positions(ids).unsqueeze(1)


def _transformers_trunk(
    vocabulary_size: int, positions: int, width: int, depth: int, num_heads: int, dropout: float
) -> nn.Module:
    # not at the top: transformers takes longer to import than a search takes, and plain layers do without it
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=vocabulary_size,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=depth,
        num_attention_heads=num_heads,
        max_position_embeddings=positions,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=0,
    )
    return BertModel(config, add_pooling_layer=False)
