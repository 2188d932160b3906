"""A vision transformer's class token in plain layers, named as timm names them. It embeds; it is not trained.

timm takes longer to import than PyTorch. One picture that is added to a gallery needs none of its many models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.backbones.convolution_stem import stem_layers
from tipr_zoo.backbones.multi_head_attention import attend
from tipr_zoo.backbones.quick_gelu import QuickGELU


@dataclass(frozen=True)
class Architecture:
    """What the name of one of timm's models says.

    Attributes:
        width: Width of the tokens.
        num_heads: Attention heads of a block.
        is_clip: Whether it is CLIP's, which normalises before the first block, and has an activation of its own.
    """

    width: int
    num_heads: int
    is_clip: bool


ARCHITECTURES = {
    "vit_tiny_patch16_224": Architecture(192, 3, False),
    "vit_base_patch16_clip_quickgelu_224": Architecture(768, 12, True),
}
"""The models of timm that are known here, all of 12 blocks and patches of 16 pixels."""

_DEPTH, _PATCH = 12, 16

_ENTRIES = {"type", "model_name", "embedding_size", "image_size", "stride", "width", "depth", "num_heads", "stem"}


class PlainVisionTransformer(nn.Module):
    """What stands in the place of a `VisionTransformerEncoder` of which the class token alone is wanted.

    Args:
        model_name: One of `ARCHITECTURES`.
        embedding_size: Size D of the shared embedding space.
        image_size: Height and width of the pictures in pixels.
        options: ``stride``, ``width``, ``depth``, ``num_heads`` and ``stem``, as `VisionTransformerEncoder` takes them.
    """

    def __init__(
        self, model_name: str, embedding_size: int, image_size: Sequence[int] = (384, 128), **options: Any
    ) -> None:
        super().__init__()
        self.image_size, self.embedding_size = (int(image_size[0]), int(image_size[1])), embedding_size
        known = ARCHITECTURES[model_name]
        width, heads = options.get("width") or known.width, options.get("num_heads") or known.num_heads
        depth, stride = options.get("depth") or _DEPTH, options.get("stride") or _PATCH
        has_stem = options.get("stem", "patch") == "convolution"
        rows, columns = (side // _PATCH if has_stem else (side - _PATCH) // stride + 1 for side in self.image_size)
        epsilon = 1e-5 if known.is_clip else 1e-6
        self.trunk: Any = nn.Module()
        self.trunk.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.trunk.pos_embed = nn.Parameter(torch.zeros(1, 1 + rows * columns, width))
        self.trunk.patch_embed = nn.Module()
        self.trunk.patch_embed.proj = (
            stem_layers(_PATCH, 3, width)
            if has_stem
            else nn.Conv2d(3, width, _PATCH, stride=stride, bias=not known.is_clip)
        )
        self.trunk.norm_pre = nn.LayerNorm(width, epsilon) if known.is_clip else nn.Identity()
        self.trunk.blocks = nn.ModuleList(_Block(width, heads, epsilon, known.is_clip) for _ in range(depth))
        self.trunk.norm = nn.LayerNorm(width, epsilon)
        self.trunk.head = nn.Linear(width, embedding_size, bias=False)

    def encode_class(self, images: Tensor) -> Tensor:
        """Encode pictures into their class tokens: (B, 3, H, W) -> (B, D)."""
        trunk = self.trunk
        patches = trunk.patch_embed.proj(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([trunk.cls_token.expand(len(patches), -1, -1), patches], dim=1) + trunk.pos_embed
        tokens = trunk.norm_pre(tokens)
        *earlier, last = trunk.blocks
        for block in earlier:
            tokens = block(tokens, len(tokens[0]))
        embeddings: Tensor = trunk.head(trunk.norm(last(tokens, 1))).squeeze(1)
        return embeddings

    def forward(self, images: Tensor) -> Tensor:
        """Encode pictures into their class tokens alone: (B, 3, H, W) -> (B, 1, D)."""
        return self.encode_class(images).unsqueeze(1)


class _Block(nn.Module):
    def __init__(self, width: int, num_heads: int, epsilon: float, is_clip: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm1, self.norm2 = nn.LayerNorm(width, epsilon), nn.LayerNorm(width, epsilon)
        self.attn: Any = nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp: Any = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.act = QuickGELU() if is_clip else nn.GELU()

    def forward(self, tokens: Tensor, count: int) -> Tensor:
        """Compute the first tokens: (B, T, W) -> (B, count, W). The others are attended to alone."""
        tokens = tokens[:, :count] + self.attn.proj(attend(*self._projected(tokens, count), self.num_heads))
        added: Tensor = tokens + self.mlp.fc2(self.act(self.mlp.fc1(self.norm2(tokens))))
        return added

    def _projected(self, tokens: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries of the first tokens, and keys and values of all."""
        normed = self.norm1(tokens)
        if count == tokens.shape[1]:
            queries, keys, values = self.attn.qkv(normed).chunk(3, dim=2)
            return queries, keys, values
        weight, bias = self.attn.qkv.weight, self.attn.qkv.bias
        width = weight.shape[1]
        keys, values = F.linear(normed, weight[width:], bias[width:]).chunk(2, dim=2)
        return F.linear(normed[:, :count], weight[:width], bias[:width]), keys, values


def plain_image_tower(entry: Mapping[str, Any]) -> PlainVisionTransformer | None:
    """Make the plain tower of a recipe's entry.

    Args:
        entry: ``model.image_encoder`` of a recipe that a model was built from before.

    Returns:
        It; None where the entry names another tower, or one that is not known here.
    """
    if entry.get("type") != "VisionTransformerEncoder" or not set(entry) <= _ENTRIES:
        return None
    if entry.get("model_name") not in ARCHITECTURES:
        return None
    return PlainVisionTransformer(**{name: value for name, value in entry.items() if name != "type"})
