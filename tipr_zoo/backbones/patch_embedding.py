"""How a vision transformer turns a picture into patch tokens: by patches or by a convolution stem."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch.nn.functional as F
from timm.layers import PatchEmbed
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from tipr_zoo.backbones.convolution_stem import stem_layers
from tipr_zoo.errors import ConfigError


class OverlappingPatchEmbedding(PatchEmbed):
    """Patches of side `patch_size` taken every `stride` pixels: (H - P) // S + 1 rows, columns likewise.

    Args:
        stride: Pixels between two patches; equal to `patch_size` for patches that touch.
        img_size: Height and width of the picture in pixels.
        patch_size: Side of a patch in pixels.
        options: What timm's ``PatchEmbed`` takes besides.
    """

    def __init__(self, stride: int, img_size: tuple[int, int], patch_size: int, **options: Any) -> None:
        super().__init__(img_size=img_size, patch_size=patch_size, **options)
        self.proj.stride = (stride, stride)
        self.grid_size = tuple((side - patch_size) // stride + 1 for side in img_size)
        self.num_patches = math.prod(self.grid_size)


class ConvolutionStem(PatchEmbed):
    """Patch tokens from a chain of 3 x 3 convolutions, each of which halves the picture (Xiao et al., 2021).

    A transformer that is trained from nothing on little data learns colours and edges much sooner behind such a stem
    than behind one large patch convolution (arXiv 2106.14881).

    Args:
        img_size: Height and width of the picture in pixels.
        patch_size: Side of the square that one token stands for, a power of two.
        in_chans: Channels of the picture.
        embed_dim: Width of the tokens.
        options: What timm's ``PatchEmbed`` takes besides.
    """

    def __init__(
        self, img_size: tuple[int, int], patch_size: int, in_chans: int = 3, embed_dim: int = 128, **options: Any
    ) -> None:
        super().__init__(img_size=img_size, patch_size=patch_size, in_chans=in_chans, embed_dim=embed_dim, **options)
        self.proj: Any = stem_layers(patch_size, in_chans, embed_dim)

    def embed_visible(self, images: Tensor, visible: Tensor) -> Tensor:
        """Compute the tokens of pictures of which some patches are hidden; those of hidden patches mean nothing.

        Convolutions reach over the border of a patch, so hidden patches are made 0 first. Such pictures have other
        statistics than whole ones. So BatchNorm uses its running statistics, and learns nothing from these pictures.

        Args:
            images: (B, 3, H, W) float, normalised pictures.
            visible: (B, V) int64, the visible patches of each picture, numbered row by row from 0.

        Returns:
            (B, N, D).
        """
        rows, columns = self.grid_size
        seen = images.new_zeros(len(images), rows * columns).scatter_(1, visible, 1.0).view(-1, 1, rows, columns)
        values = images.where(F.interpolate(seen, size=images.shape[2:], mode="nearest") > 0, 0.0)
        for layer in self.proj:
            learns = isinstance(layer, _BatchNorm) and layer.training
            try:
                values = layer.train(not learns and layer.training)(values)
            finally:
                layer.train(learns or layer.training)
        return values.flatten(2).transpose(1, 2)


def patch_embedding(stem: str, stride: int) -> Callable[..., PatchEmbed]:
    """Return the class that timm's vision transformer is to make its patch tokens with.

    Args:
        stem: ``"patch"`` for one convolution the size of a patch, ``"convolution"`` for `ConvolutionStem`.
        stride: Pixels between two patches (``"patch"`` only).
    """
    return ConvolutionStem if stem == "convolution" else partial(OverlappingPatchEmbedding, stride)


def check_sizes(image_size: tuple[int, int], patch_size: int, stride: int) -> None:
    """Check that patches cover the picture to its last pixel; nothing is cut off unseen.

    Args:
        image_size: Height and width in pixels.
        patch_size: Side of a patch in pixels.
        stride: Pixels from a patch to the next.

    Raises:
        ConfigError: They do not.
    """
    for side, name in zip(image_size, ("height", "width"), strict=True):
        if side < patch_size:
            raise ConfigError(f"image {name} {side} is smaller than a patch of {patch_size} pixels")
        if stride == patch_size and side % patch_size:
            near = [side // patch_size * patch_size, (side // patch_size + 1) * patch_size]
            raise ConfigError(f"image {name} {side} is no multiple of the patch size {patch_size}; take {near}")
