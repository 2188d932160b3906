"""Where the patches of an image tower lie in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.protocols import ImageTower, PatchImageTower, missing_names


@dataclass(frozen=True)
class PatchGrid:
    """The patches of a picture, row by row; they may overlap.

    Attributes:
        image_size: Height and width in pixels of the pictures that the tower takes.
        grid_size: Rows and columns of patches.
        patch_size: Pixels a side of a patch.
        stride: Pixels from a patch to the next; smaller than `patch_size` where patches overlap.
    """

    image_size: tuple[int, int]
    grid_size: tuple[int, int]
    patch_size: int
    stride: int

    def pixel_map(self, values: Tensor) -> Tensor:
        """Spread a value of each patch over its pixels.

        Args:
            values: (rows, columns) float.

        Returns:
            (H, W) float: at each pixel the mean over the patches that it lies in, 0 where it lies in none.
        """
        down, across = (
            self._covers(length, count).to(values)
            for length, count in zip(self.image_size, self.grid_size, strict=True)
        )
        patches = down.sum(dim=0).outer(across.sum(dim=0))
        return down.T @ values @ across / patches.clamp(min=1)

    def _covers(self, length: int, count: int) -> Tensor:
        """Of one side: (count, length) bool, which patch covers which pixel."""
        first = torch.arange(count).unsqueeze(1) * self.stride
        pixel = torch.arange(length)
        return (first <= pixel) & (pixel < first + self.patch_size)


def patch_grid(image_encoder: ImageTower) -> PatchGrid:
    """The patches of an image tower.

    Args:
        image_encoder: A tower that states ``image_size``, ``grid_size``, ``patch_size`` and ``stride``, as those of the
            zoo do.

    Raises:
        ConfigError: It does not.
    """
    if not isinstance(image_encoder, PatchImageTower):
        raise ConfigError(
            f"{type(image_encoder).__name__} does not say where its patches lie; it needs the attributes "
            + ", ".join(missing_names(image_encoder, PatchImageTower))
        )
    (height, width), (rows, columns) = image_encoder.image_size, image_encoder.grid_size
    return PatchGrid((height, width), (rows, columns), image_encoder.patch_size, image_encoder.stride)
