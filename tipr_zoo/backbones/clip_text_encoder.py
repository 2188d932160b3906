"""Text towers: CLIP's text transformer from transformers, with every token projected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tipr_zoo.backbones.gradient_checkpointing import run_block, switch_layers
from tipr_zoo.backbones.last_attention import attention_weights, noted_input
from tipr_zoo.backbones.multi_head_attention import attend
from tipr_zoo.backbones.plain_clip_text import ACTIVATIONS, PlainCLIPText
from tipr_zoo.backbones.plain_modules import are_plain, kinds_of, parts_of
from tipr_zoo.backbones.plain_trunks import takes_plain_trunk
from tipr_zoo.backbones.quick_gelu import QuickGELU
from tipr_zoo.backbones.tower_sizes import checked_text_heads
from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import BACKBONES
from tipr_zoo.sentence_ends import largest_ids, pooled_positions


@BACKBONES.register_module()
class CLIPTextEncoder(nn.Module):
    """CLIP's causal text transformer; LayerNorm and projection act on every token.

    Args:
        embedding_size: Size D of the shared embedding space.
        vocabulary_size: Number of token ids. The end token must be the largest id.
        context_length: Largest number of tokens L of a caption.
        width: Width of the tokens inside the tower.
        depth: Number of blocks.
        num_heads: Attention heads of a block; None for CLIP's one head per 64 of the width.
        activation: Activation of the MLPs, by its name in transformers; CLIP's by default.
        dropout: Probability with which training drops each weight of an attention.

    Raises:
        ConfigError: The sizes do not fit each other, or `dropout` is not from 0 to below 1.
    """

    is_causal = True
    may_have_plain_trunk = True
    end_positions = staticmethod(largest_ids)

    def __init__(
        self,
        embedding_size: int,
        vocabulary_size: int = 49408,
        context_length: int = 77,
        width: int = 512,
        depth: int = 12,
        num_heads: int | None = None,
        activation: str = "quick_gelu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout of CLIPTextEncoder must be from 0 to below 1, got {dropout!r}")
        num_heads = checked_text_heads(embedding_size, vocabulary_size, context_length, width, depth, num_heads)
        self.embedding_size = embedding_size
        self.context_length = context_length
        self.vocabulary_size = vocabulary_size
        sizes = (vocabulary_size, context_length, width, depth, num_heads, activation, embedding_size)
        is_plain = takes_plain_trunk(type(self)) and activation in ACTIVATIONS
        self.trunk: Any = PlainCLIPText(*sizes) if is_plain else _transformers_trunk(*sizes, dropout)
        self.dropout = dropout
        self._kinds = kinds_of(self)
        self._checkpoints = False

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks, from the first to the last."""
        return list(self.trunk.text_model.encoder.layers)

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Switch gradient checkpointing of the blocks in training: less memory, and each is computed twice."""
        self._checkpoints = enabled
        switch_layers(self.blocks, enabled)

    def forward(self, ids: Tensor) -> Tensor:
        """Encode captions.

        Args:
            ids: (B, L) int64 token ids, zero after the end token. L may be smaller than the context length.

        Returns:
            (B, L, D) projected tokens.
        """
        hidden = self.trunk.text_model(input_ids=ids, attention_mask=None).last_hidden_state
        return self.trunk.text_projection(hidden)

    def encode_end(self, ids: Tensor) -> Tensor:
        """Encode captions into the token at their end alone: what `forward` gives there, for less work.

        The last block answers the end tokens' queries only; the other tokens are only attended to. Where modules were
        wrapped, hooked or replaced, and where dropout draws, `forward` is run as a whole.

        Args:
            ids: (B, L) int64 token ids, zero after the end token.

        Returns:
            (B, D) projected end tokens.
        """
        text_model = self.trunk.text_model
        if (self.training and self.dropout) or not are_plain(self._passed_by(), self._kinds):
            return self(ids)[torch.arange(len(ids), device=ids.device), pooled_positions(self, ids)]
        tokens = text_model.embeddings(input_ids=ids)
        *earlier, last = text_model.encoder.layers
        again = self._checkpoints and self.training
        for block in earlier:
            tokens = run_block(_causal_block, block, tokens, again=again)
        tokens = run_block(_causal_block, last, tokens, pooled_positions(self, ids), again=again)
        return self.trunk.text_projection(text_model.final_layer_norm(tokens)).squeeze(1)

    def encode_with_attention(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Encode captions, and tell what the end token attends to in the last block.

        Args:
            ids: (B, L) int64 token ids, zero after the end token.

        Returns:
            What `forward` gives, and (B, L) float, the attention of the end token to each token as the mean over the
            heads, without gradient. It is 0 after the end token, and a row sums to 1.
        """
        block = self.trunk.text_model.encoder.layers[-1]
        with noted_input(block) as given:
            tokens = self(ids)
        with torch.no_grad():
            ends, attention = pooled_positions(self, ids), block.self_attn
            normed = block.layer_norm1(given())
            queries = attention.q_proj(normed[torch.arange(len(ids), device=ids.device), ends])
            seen = torch.arange(ids.shape[1], device=ids.device) <= ends.unsqueeze(1)
            weights = attention_weights(queries, attention.k_proj(normed), attention.num_heads, seen)
        return tokens, weights

    def _passed_by(self) -> Iterator[nn.Module]:
        """List the modules that `encode_end` does not call, or calls on the end tokens only."""
        text_model = self.trunk.text_model
        yield from (self, text_model, text_model.encoder, text_model.encoder.layers)
        yield from (text_model.final_layer_norm, self.trunk.text_projection)
        *earlier, last = text_model.encoder.layers
        for block in earlier:
            yield block
            yield getattr(block, "self_attn", block)  # a block of another kind may have none
        yield from parts_of(last)


def _transformers_trunk(
    vocabulary_size: int,
    context_length: int,
    width: int,
    depth: int,
    num_heads: int,
    activation: str,
    embedding_size: int,
    dropout: float,
) -> nn.Module:
    # not at the top: transformers takes longer to import than a search takes, and plain layers do without it
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    # Padding is id 0 and stays unmasked, as in CLIP: attention is causal, so it changes no token before it.
    config = CLIPTextConfig(
        vocab_size=vocabulary_size,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=depth,
        num_attention_heads=num_heads,
        max_position_embeddings=context_length,
        projection_dim=embedding_size,
        hidden_act=activation,
        attention_dropout=dropout,
        pad_token_id=0,
        bos_token_id=vocabulary_size - 2,
        eos_token_id=vocabulary_size - 1,
    )
    trunk: Any = CLIPTextModelWithProjection(config)
    if activation == "quick_gelu":
        for block in trunk.text_model.encoder.layers:
            block.mlp.activation_fn = QuickGELU()
    if dropout:
        # not at the top: it is a class of transformers'
        from tipr_zoo.backbones.dropped_attention import DroppedAttention

        for block in trunk.text_model.encoder.layers:
            dropped = DroppedAttention(config)
            dropped.load_state_dict(block.self_attn.state_dict())
            block.self_attn = dropped
    return trunk


def _causal_block(block: Any, tokens: Tensor, ends: Tensor | None = None) -> Tensor:
    """Run one block of the transformer: (B, L, W) -> (B, L, W), or (B, 1, W) for the tokens at ``ends``, (B,) int64."""
    attention = block.self_attn
    normed = block.layer_norm1(tokens)
    queries, seen = normed, None
    if ends is not None:
        rows = torch.arange(len(ends), device=ends.device)
        tokens, queries = tokens[rows, ends].unsqueeze(1), normed[rows, ends].unsqueeze(1)
        seen = (torch.arange(normed.shape[1], device=ends.device) <= ends.unsqueeze(1))[:, None, None]
    projected = attention.q_proj(queries), attention.k_proj(normed), attention.v_proj(normed)
    tokens = tokens + attention.out_proj(attend(*projected, attention.num_heads, seen, is_causal=seen is None))
    return tokens + block.mlp(block.layer_norm2(tokens))
