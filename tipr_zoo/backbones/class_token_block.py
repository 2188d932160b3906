"""The last block of a vision transformer where its class token alone is wanted."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from timm.models.vision_transformer import Attention, Block
from torch import Tensor

from tipr_zoo.backbones.plain_modules import are_plain, has_plain_weights, parts_of


def takes_class_token_alone(block: Any, kinds: frozenset[type]) -> bool:
    """Tell whether a block is timm's usual one, and as its tower made it, so that `class_token_block` can run it.

    Args:
        block: The last block of a tower.
        kinds: From `tipr_zoo.backbones.plain_modules.kinds_of`.
    """
    if type(block) is not Block or type(block.attn) is not Attention or getattr(block.attn, "gate", None) is not None:
        return False
    return has_plain_weights(block.attn.qkv) and are_plain(parts_of(block), kinds)


def class_token_block(block: Any, tokens: Tensor) -> Tensor:
    """Compute what a block makes of the first token. Others are attended to; nothing else is computed for them.

    Args:
        block: One that `takes_class_token_alone`.
        tokens: (B, 1 + N, W) float.

    Returns:
        (B, 1, W).
    """
    attended = block.attn.proj_drop(_attend(block.attn, block.norm1(tokens)))
    first = tokens[:, :1] + block.drop_path1(block.ls1(attended))
    return first + block.drop_path2(block.ls2(block.mlp(block.norm2(first))))


def _attend(attention: Any, normed: Tensor) -> Tensor:
    """Attend with the class token's query to all tokens: (B, 1 + N, W) -> (B, 1, W)."""
    width = attention.qkv.out_features // 3
    weight, bias = attention.qkv.weight, attention.qkv.bias
    query = F.linear(normed[:, :1], weight[:width], None if bias is None else bias[:width])
    keys, values = F.linear(normed, weight[width:], None if bias is None else bias[width:]).chunk(2, dim=2)
    query, keys, values = (
        part.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for part in (query, keys, values)
    )
    query, keys = attention.q_norm(query), attention.k_norm(keys)
    dropped = attention.attn_drop.p if attention.training else 0.0
    attended = F.scaled_dot_product_attention(query, keys, values, dropout_p=dropped).transpose(1, 2).flatten(2)
    norm = getattr(attention, "norm", None)
    return attention.proj(attended if norm is None else norm(attended))
