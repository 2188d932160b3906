"""Image towers: CLIP's modified ResNets from timm, with every token of the attention pooling projected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import timm
import torch
from timm.layers import AttentionPool2d
from timm.models.byobnet import ByoBlockCfg
from torch import Tensor, nn

from tipr_zoo.backbones.gradient_checkpointing import run_block
from tipr_zoo.backbones.multi_head_attention import attend
from tipr_zoo.backbones.plain_modules import are_plain, kinds_of
from tipr_zoo.backbones.tower_sizes import check_counts, checked_size
from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import BACKBONES

SQUARE = 32
"""Side in pixels of the square that one token stands for."""

_STEM_WIDTH = 64  # of RN50, which timm's widths are multiples of


@BACKBONES.register_module()
class ModifiedResNetEncoder(nn.Module):
    """CLIP's ResNet with attention pooling (Radford et al., 2021, arXiv 2103.00020, section 2.4).

    The pooling attends from the mean of all squares to the mean and the squares. Its one output is CLIP's image
    embedding. Here every square asks the same way, so that there are tokens for what needs more than the embedding.
    Token 0 is not changed by that. Convolutions see every pixel around a square, so there is no ``encode_visible``.

    Args:
        model_name: Name of a CLIP ResNet of timm's: ``resnet50_clip``, ``resnet101_clip``, ``resnet50x4_clip``, ...
        embedding_size: Size D of the shared embedding space.
        image_size: Height and width of the pictures in pixels, multiples of 32.
        width: Channels after the stem, a multiple of 8; None for the model's own. The attention pooling is 32 times as
            wide and has one head per 64 of that.
        depths: Number of blocks of each of the four stages; None for the model's own.

    Raises:
        ConfigError: timm has no such CLIP ResNet, or a size makes no sense.
    """

    def __init__(
        self,
        model_name: str,
        embedding_size: int,
        image_size: Sequence[int] = (384, 128),
        width: int | None = None,
        depths: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not (timm.is_model(model_name) and model_name.startswith("resnet") and "_clip" in model_name):
            raise ConfigError(f"timm has no CLIP ResNet {model_name!r}; see timm.list_models('resnet*_clip')")
        check_counts(embedding_size=embedding_size)
        self.image_size = checked_size(image_size)
        self.embedding_size = embedding_size
        self.patch_size = self.stride = SQUARE
        _check_sizes(self.image_size)
        self.trunk: Any = timm.create_model(
            model_name, img_size=self.image_size, num_classes=embedding_size, **_architecture(width, depths)
        )
        if not isinstance(self.trunk.head, AttentionPool2d):
            raise ConfigError(f"timm's {model_name!r} is no ResNet with CLIP's attention pooling, as resnet50_clip is")
        projection = cast(nn.Linear, self.trunk.head.proj)
        nn.init.normal_(projection.weight, std=projection.in_features**-0.5)
        self._kinds = kinds_of(self)
        self._checkpoints = False
        self.grid_size: tuple[int, int] = (self.image_size[0] // SQUARE, self.image_size[1] // SQUARE)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks of all stages, from the first to the last."""
        return [block for stage in self.trunk.stages for block in stage]

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Switch gradient checkpointing of the blocks in training: less memory, and each is computed twice."""
        self._checkpoints = enabled

    def forward(self, images: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            images: (B, 3, H, W) normalised pictures.

        Returns:
            (B, 1 + N, D) projected tokens, CLIP's image embedding first, the squares row by row.
        """
        pooling = self.trunk.head
        features = self._features(images)
        squares = features.flatten(2).transpose(1, 2)
        tokens = torch.cat([squares.mean(dim=1, keepdim=True), squares], dim=1) + pooling.pos_embed
        projected = pooling.q(tokens), pooling.k(tokens), pooling.v(tokens)
        tokens = pooling.proj(attend(*projected, pooling.num_heads))
        if are_plain((pooling,), self._kinds):
            return tokens
        return torch.cat([pooling(features).unsqueeze(1), tokens[:, 1:]], dim=1)  # by its call, which runs hooks

    def _features(self, images: Tensor) -> Tensor:
        """Return what is pooled: (B, 3, H, W) -> (B, C, H / 32, W / 32)."""
        if not (self._checkpoints and self.training):
            return self.trunk.forward_features(images)
        features = self.trunk.stem(images)
        for block in self.blocks:
            features = run_block(block, features, again=True)
        return self.trunk.final_conv(features)


def _architecture(width: int | None, depths: Sequence[int] | None) -> dict[str, Any]:
    """Return how timm's model is to differ from what its name says."""
    architecture: dict[str, Any] = {}
    if width is not None:
        if width < 8 or width % 8:
            raise ConfigError(f"the width of a ModifiedResNetEncoder must be a multiple of 8, got {width}")
        architecture["width_factor"] = width / _STEM_WIDTH
    if depths is not None:
        if len(depths) != 4 or min(depths) < 1:
            raise ConfigError(f"depths must be four numbers of blocks above 0, got {depths!r}")
        architecture["blocks"] = tuple(
            ByoBlockCfg(type="bottle", d=depth, c=4 * _STEM_WIDTH * 2**stage, s=2 if stage else 1, br=0.25)
            for stage, depth in enumerate(depths)
        )
    return architecture


def _check_sizes(image_size: tuple[int, int]) -> None:
    """Check that squares cover the picture to its last pixel; nothing is cut off unseen."""
    for side, name in zip(image_size, ("height", "width"), strict=True):
        if side < SQUARE or side % SQUARE:
            near = max(SQUARE, round(side / SQUARE) * SQUARE)
            raise ConfigError(f"image {name} {side} is no multiple of the {SQUARE} pixels of a square; take {near}")
