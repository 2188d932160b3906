"""CLIP's transformer blocks as the heads of IRRA and SEN use them."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tipr_zoo.backbones.quick_gelu import QuickGELU


class ResidualAttentionBlock(nn.Module):
    """One pre-norm block: self-attention and a four times wider MLP, each added to its input.

    Args:
        width: Width D of the tokens; every 64 of it are one attention head.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // 64, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(c_fc=nn.Linear(width, 4 * width), gelu=QuickGELU(), c_proj=nn.Linear(4 * width, width))
        )
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Let every token attend to all.

        Args:
            tokens: (B, L, D) float.
            positions: (B, M) int64, the tokens that are wanted; None for all. The others are still attended to, but
                nothing else is computed for them.

        Returns:
            (B, L, D), or (B, M, D) in the order of ``positions``.
        """
        normed = self.ln_1(tokens)
        queries = normed
        if positions is not None:
            tokens, queries = take_tokens(tokens, positions), take_tokens(normed, positions)
        tokens = tokens + self.attn(queries, normed, normed, need_weights=False)[0]
        widened = self.mlp[0](self.ln_2(tokens))
        # The backward pass computes the activation again: that is quick, and it is the widest tensor of the block.
        return tokens + checkpoint(self.mlp[1:], widened, use_reentrant=False, preserve_rng_state=False)


class CrossModalTransformer(nn.Module):
    """A stack of `ResidualAttentionBlock`.

    Args:
        width: Width D of the tokens.
        depth: Number of blocks (``cmt_depth`` in the official code).
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(ResidualAttentionBlock(width) for _ in range(depth)))

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Run every block.

        Args:
            tokens: (B, L, D) float.
            positions: (B, M) int64, the tokens that are wanted; None for all. All tokens go through all blocks but the
                last. In the last block the queries and the MLP of the others would be in vain.

        Returns:
            (B, L, D), or (B, M, D) in the order of ``positions``.
        """
        *earlier, last = self.resblocks
        for block in earlier:
            tokens = block(tokens)
        return last(tokens, positions)


def take_tokens(tokens: Tensor, positions: Tensor) -> Tensor:
    """Pick the tokens at some positions: (B, L, D) and (B, M) int64 -> (B, M, D)."""
    return tokens.gather(1, positions.unsqueeze(2).expand(-1, -1, tokens.shape[2]))


def initialise_like_official(transformer: CrossModalTransformer, *cross_attentions: nn.MultiheadAttention) -> None:
    """Draw the weights that CLIP does not bring, with the official standard deviations.

    With width D and depth d: input projections of attention D^-0.5, output projections and second MLP layers
    D^-0.5 (2d)^-0.5, first MLP layers (2D)^-0.5. Biases keep PyTorch's default.
    """
    blocks = cast("list[ResidualAttentionBlock]", list(transformer.resblocks))
    depth = len(blocks)
    attentions = [*cross_attentions, *(block.attn for block in blocks)]
    width = attentions[0].embed_dim
    projection_std = width**-0.5 * (2 * depth) ** -0.5
    for attention in attentions:
        nn.init.normal_(attention.in_proj_weight, std=width**-0.5)
        nn.init.normal_(attention.out_proj.weight, std=projection_std)
    for block in blocks:
        first, _, second = cast("tuple[nn.Linear, nn.Module, nn.Linear]", tuple(block.mlp))
        nn.init.normal_(first.weight, std=(2 * width) ** -0.5)
        nn.init.normal_(second.weight, std=projection_std)
