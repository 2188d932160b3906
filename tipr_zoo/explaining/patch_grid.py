"""The places of an image tower's patches in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.protocols import ImageTower, PatchImageTower, missing_names


@dataclass(frozen=True)
class PatchGrid:
    """The patches of a picture, row by row. They may overlap.

    Attributes:
        image_size: Height and width in pixels of the pictures that the tower takes.
        grid_size: Rows and columns of patches.
        patch_size: Side of a patch in pixels.
        stride: Pixels from a patch to the next. Smaller than `patch_size` where patches overlap.
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
            (H, W) float: at each pixel, the mean over the patches that cover it. 0 where no patch does.
        """
        down, across = (
            self._covers(length, count).to(values)
            for length, count in zip(self.image_size, self.grid_size, strict=True)
        )
        patches = down.sum(dim=0).outer(across.sum(dim=0))
        return down.T @ values @ across / patches.clamp(min=1)

    def _covers(self, length: int, count: int) -> Tensor:
        """Tell for one side which patch covers which pixel: (count, length) bool."""
        first = torch.arange(count).unsqueeze(1) * self.stride
        pixel = torch.arange(length)
        return (first <= pixel) & (pixel < first + self.patch_size)


def patch_grid(image_encoder: ImageTower) -> PatchGrid:
    """Return the patches of an image tower.

    Args:
        image_encoder: A tower with ``image_size``, ``grid_size``, ``patch_size`` and ``stride``, like those of the zoo.

    Raises:
        ConfigError: The tower lacks one of them.
    """
    if not isinstance(image_encoder, PatchImageTower):
        raise ConfigError(
            f"{type(image_encoder).__name__} does not say where its patches lie; it needs the attributes "
            + ", ".join(missing_names(image_encoder, PatchImageTower))
        )
    (height, width), (rows, columns) = image_encoder.image_size, image_encoder.grid_size
    return PatchGrid((height, width), (rows, columns), image_encoder.patch_size, image_encoder.stride)
