"""Position embeddings for another grid of patches than they were learned on."""

from __future__ import annotations

import math

from torch import Tensor, cat
from torch.nn import functional as F

from tipr_zoo.errors import WeightsError


def learned_grid(num_patches: int, grid_size: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of the grid that so many positions were learned on.

    Positions do not tell their grid, only their number. CLIP's pictures are square, so a square number is a square
    grid. Another number can only be positions that were fitted to a grid before.

    Args:
        num_patches: Number of positions without the class token's.
        grid_size: Rows and columns of the model's grid.

    Raises:
        WeightsError: They fill neither a square nor the model's grid.

    Example:
        >>> learned_grid(196, (24, 8)), learned_grid(192, (24, 8))
        ((14, 14), (24, 8))
    """
    num_patches = max(num_patches, 0)  # where even the class token's is missing
    side = math.isqrt(num_patches)
    if side and side**2 == num_patches:
        return side, side
    if num_patches == math.prod(grid_size):
        return grid_size
    rows, columns = grid_size
    raise WeightsError(
        f"{num_patches} positions are neither those of a square grid of patches nor of the model's {rows} x {columns}"
    )


def resize_position_grid(positions: Tensor, grid_size: tuple[int, int]) -> Tensor:
    """Resize CLIP's learned positions to another grid of patches, as the official code of IRRA, SEN and FMFA does.

    The class token's position is kept. The others are interpolated bilinearly between the centres of the patches
    (``align_corners=False``). There is no antialiasing, also where the grid becomes coarser.

    Args:
        positions: (1 + N, D) float, the class token's position first, the patches' row by row.
        grid_size: Rows and columns wanted.

    Returns:
        (1 + rows x columns, D), in the type of `positions`; `positions` itself where the grid is the same.

    Raises:
        WeightsError: N is neither a square number nor rows x columns.
    """
    before = learned_grid(len(positions) - 1, grid_size)
    if before == grid_size:
        return positions
    grid = positions[1:].float().T.reshape(1, -1, *before)
    grid = F.interpolate(grid, size=grid_size, mode="bilinear", align_corners=False, antialias=False)
    return cat([positions[:1], grid.flatten(2)[0].T.to(positions.dtype)])
