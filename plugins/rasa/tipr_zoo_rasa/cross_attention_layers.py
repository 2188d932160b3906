"""The cross-encoder: BERT's layers that attend to the caption and then to the picture."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.backbones.tower_sizes import check_counts, check_heads
from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import BACKBONES
from tipr_zoo_rasa.bert_initialisation import begin_like_bert

KeysValues = list[tuple[Tensor, Tensor]]
"""Of each layer, what it attends to in pictures: keys and values, each (B, heads, T, width / heads)."""


@BACKBONES.register_module()
class CrossAttentionLayers(nn.Module):
    """BERT's layers with cross-attention: self-attention, cross-attention, feed-forward, each added and normalised.

    A token sees the whole caption, also what follows it, nothing of the padding, and the whole picture. The layers are
    those of transformers. They are run here, because transformers takes a layer with cross-attention for a decoder's,
    whose tokens do not see what follows them, and computes the picture's keys anew for each caption.

    Args:
        width: Width of the caption's tokens.
        depth: Number of layers.
        image_width: Width of the picture's tokens.
        num_heads: Attention heads of a layer; None for one head per 64 of the width.
        dropout: Share of numbers that training drops, of attention as well; BERT's by default.

    Raises:
        ConfigError: A size or share makes no sense.
    """

    def __init__(
        self,
        width: int = 768,
        depth: int = 6,
        image_width: int = 768,
        num_heads: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_counts(width=width, depth=depth, image_width=image_width, num_heads=num_heads)
        num_heads = num_heads or max(1, width // 64)
        check_heads(width, num_heads)
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout of CrossAttentionLayers must be a number from 0 to below 1, got {dropout!r}")
        # not at the top: transformers takes longer to import than a search takes, which needs no cross-encoder
        from transformers import BertConfig
        from transformers.models.bert.modeling_bert import BertLayer

        config = BertConfig(
            hidden_size=width,
            intermediate_size=4 * width,
            num_attention_heads=num_heads,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            is_decoder=True,
            add_cross_attention=True,
        )
        self.width, self.image_width, self.num_heads = width, image_width, num_heads
        self.layer = nn.ModuleList(cast(Any, BertLayer)(config) for _ in range(depth))
        if image_width != width:
            for layer in self._layers:
                attention = layer.crossattention.self
                attention.key, attention.value = nn.Linear(image_width, width), nn.Linear(image_width, width)
        begin_like_bert(self, width)

    def keys_values(self, picture_tokens: Tensor) -> KeysValues:
        """Compute what every layer attends to in pictures: (B, T, image width) -> keys and values of each layer."""
        own = [layer.crossattention.self for layer in self._layers]
        return [
            (self._split(attention.key(picture_tokens)), self._split(attention.value(picture_tokens)))
            for attention in own
        ]

    def forward(self, tokens: Tensor, seen: Tensor, pictures: KeysValues, first_alone: bool = False) -> Tensor:
        """Let captions attend to pictures.

        Args:
            tokens: (B, L, width), what the text tower gives.
            seen: (B, L) bool, which tokens are no padding.
            pictures: From `keys_values`, of B pictures, or of one picture that all captions attend to.
            first_alone: Whether the first token alone is wanted. The last layer computes no other then.

        Returns:
            (B, L, width), or (B, 1, width).
        """
        mask = None if bool(seen.all()) else seen[:, None, None, :]
        last = len(self.layer) - 1
        for index, (layer, (keys, values)) in enumerate(zip(self._layers, pictures, strict=True)):
            asking = tokens[:, :1] if first_alone and index == last else tokens
            attention = layer.attention.self
            own = self._attend(
                self._split(attention.query(asking)),
                *(self._split(attention.key(tokens)), self._split(attention.value(tokens))),
                attention.dropout,
                mask,
            )
            asking = layer.attention.output(own, asking)
            across = layer.crossattention.self
            crossed = self._across(self._split(across.query(asking)), keys, values, across.dropout)
            asking = layer.crossattention.output(crossed, asking)
            tokens = layer.output(layer.intermediate(asking), asking)
        return tokens

    @property
    def _layers(self) -> list[Any]:
        return list(self.layer)

    def _across(self, queries: Tensor, keys: Tensor, values: Tensor, dropout: nn.Dropout) -> Tensor:
        """Attend to pictures: (B, heads, L, E) queries -> (B, L, width)."""
        count, _, length, _ = queries.shape
        if len(keys) == count:
            return self._attend(queries, keys, values, dropout)
        # All captions ask one picture, whose keys need not be copied for each.
        together = queries.transpose(0, 1).flatten(1, 2).unsqueeze(0)
        return self._attend(together, keys, values, dropout).view(count, length, -1)

    def _attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, dropout: nn.Dropout, mask: Tensor | None = None
    ) -> Tensor:
        """Return (B, L, width) for (B, heads, L, E) queries."""
        share = dropout.p if dropout.training else 0.0
        attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, dropout_p=share)
        return attended.transpose(1, 2).flatten(2)

    def _split(self, projected: Tensor) -> Tensor:
        """Share the width out among the heads: (B, L, width) -> (B, heads, L, E)."""
        return projected.unflatten(2, (self.num_heads, -1)).transpose(1, 2)


def rows_of(pictures: KeysValues, rows: Tensor) -> KeysValues:
    """Return the keys and values of some pictures, (R,) int64, in this order."""
    return [(keys[rows], values[rows]) for keys, values in pictures]


def joined(*several: KeysValues) -> KeysValues:
    """Join keys and values of pictures, one after the other."""
    return [
        (torch.cat([keys for keys, _ in layers]), torch.cat([values for _, values in layers]))
        for layers in zip(*several, strict=True)
    ]
