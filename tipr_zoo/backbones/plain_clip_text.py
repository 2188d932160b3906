"""CLIP's text transformer in plain layers, named as transformers names them. It embeds; it is not trained."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor, nn

from tipr_zoo.backbones.multi_head_attention import attend
from tipr_zoo.backbones.quick_gelu import QuickGELU

ACTIVATIONS = {"quick_gelu": QuickGELU, "gelu": nn.GELU}
"""The activations that are known here, by their names in transformers."""


class PlainCLIPText(nn.Module):
    """What stands in the place of transformers' ``CLIPTextModelWithProjection``.

    Args:
        vocabulary_size: Number of token ids.
        context_length: Largest number of tokens L of a caption.
        width: Width W of the tokens.
        depth: Number of blocks.
        num_heads: Attention heads of a block.
        activation: One of `ACTIVATIONS`.
        embedding_size: Size of what tokens are projected to.
    """

    def __init__(
        self,
        vocabulary_size: int,
        context_length: int,
        width: int,
        depth: int,
        num_heads: int,
        activation: str,
        embedding_size: int,
    ) -> None:
        super().__init__()
        self.text_model = _Transformer(vocabulary_size, context_length, width, depth, num_heads, activation)
        self.text_projection = nn.Linear(width, embedding_size, bias=False)


class _Transformer(nn.Module):
    def __init__(
        self, vocabulary_size: int, context_length: int, width: int, depth: int, num_heads: int, activation: str
    ) -> None:
        super().__init__()
        self.embeddings = _Embeddings(vocabulary_size, context_length, width)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(_Block(width, num_heads, activation) for _ in range(depth))
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, input_ids: Tensor, attention_mask: None = None) -> SimpleNamespace:
        """Encode captions: (B, L) int64 -> ``last_hidden_state``, (B, L, W). There is no mask but the causal one."""
        tokens = self.embeddings(input_ids)
        for block in self.encoder.layers:  # type: ignore[union-attr]  # a list of modules
            tokens = block(tokens)
        return SimpleNamespace(last_hidden_state=self.final_layer_norm(tokens))


class _Embeddings(nn.Module):
    def __init__(self, vocabulary_size: int, context_length: int, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary_size, width)
        self.position_embedding = nn.Embedding(context_length, width)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.token_embedding(input_ids) + self.position_embedding.weight[: input_ids.shape[1]]


class _Block(nn.Module):
    def __init__(self, width: int, num_heads: int, activation: str) -> None:
        super().__init__()
        self.self_attn = _CausalAttention(width, num_heads)
        self.layer_norm1 = nn.LayerNorm(width)
        self.mlp = _MLP(width, activation)
        self.layer_norm2 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.self_attn(self.layer_norm1(tokens))
        return tokens + self.mlp(self.layer_norm2(tokens))


class _CausalAttention(nn.Module):
    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, tokens: Tensor) -> Tensor:
        projected = self.q_proj(tokens), self.k_proj(tokens), self.v_proj(tokens)
        return self.out_proj(attend(*projected, self.num_heads, is_causal=True))


class _MLP(nn.Module):
    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.activation_fn = ACTIVATIONS[activation]()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden: Tensor = self.fc2(self.activation_fn(self.fc1(tokens)))
        return hidden
