"""Fixed two-dimensional sine-cosine positions, as in masked autoencoders (arXiv 2111.06377)."""

from __future__ import annotations

import torch
from torch import Tensor


def sine_cosine_positions(rows: int, columns: int, width: int) -> Tensor:
    """Return the positions of the patches of a grid, row by row, after a zero for the class token.

    The first half of a position encodes the column, the second half the row. Each half has sines, then cosines. Their
    frequencies fall from 1 towards 1/10000.

    Args:
        rows: Rows of the grid.
        columns: Columns of the grid.
        width: Length D of a position, a multiple of 4.

    Returns:
        (1 + rows * columns, D) float32.
    """
    frequencies = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    halves = []
    for place in (column, row):
        angles = place.reshape(-1, 1).double() * frequencies
        halves += [angles.sin(), angles.cos()]
    positions = torch.cat(halves, dim=1)
    return torch.cat([torch.zeros(1, width, dtype=positions.dtype), positions]).float()
