"""Occlusion: how a score changes when a part of the picture is hidden (arXiv 1311.2901, section 4.2)."""

from __future__ import annotations

import math
from itertools import count, product

import torch
import torch.nn.functional as F
from torch import Tensor

from tipr_zoo.explaining.pair_scores import Scores
from tipr_zoo.explaining.patch_grid import PatchGrid
from tipr_zoo.terminal.progress_bar import ProgressBar

_BATCH = 16
_SQUARES_ACROSS = 8
"""Squares side by side, where a model does not say how large its patches are."""
WINDOW = 2
"""Squares along a side of what is hidden at a time. Of a single patch, a transformer hardly misses anything."""
_MOST_WINDOWS = 250


def hiding_grid(image_size: tuple[int, int], patch_size: int | None) -> PatchGrid:
    """Return the squares that a map by occlusion has a value for. At the right and below they may be cut.

    Args:
        image_size: Height and width in pixels of the pictures that the model takes.
        patch_size: Side of the model's patches in pixels; None where it has none. A square is as large as a patch, or
            as several where more than 250 windows would have to be hidden.
    """
    patch = patch_size or max(1, image_size[1] // _SQUARES_ACROSS)
    for side in count(patch, patch):
        rows, columns = (math.ceil(length / side) for length in image_size)
        if (rows + WINDOW - 1) * (columns + WINDOW - 1) <= _MOST_WINDOWS:
            break
    return PatchGrid(image_size, (rows, columns), side, side)


def falls_by_occlusion(scores: Scores, image: Tensor, grid: PatchGrid, progress: bool = False) -> tuple[Tensor, Tensor]:
    """Hide one window of a picture after the other, and see how far the scores of some captions fall.

    A window is two squares wide and high, and begins at each square in turn; those at the border reach beyond it. A
    square's value is the mean over the four windows that hide it. A hidden window has the mean colour of the picture:
    it is as bright as the rest, and has no edge of its own where the picture is plain.

    Args:
        scores: What scores pictures with C captions.
        image: (3, H, W), preprocessed, on the model's device.
        grid: The squares.
        progress: Whether to show a progress bar on stderr.

    Returns:
        (C,) scores of the whole picture, and (C, rows, columns), how far each falls where a square is hidden; below 0
        where it rises. Both float32 on the CPU.
    """
    rows, columns = (squares + WINDOW - 1 for squares in grid.grid_size)
    windows = [(row - WINDOW + 1, column - WINDOW + 1) for row, column in product(range(rows), range(columns))]
    whole = scores(image.unsqueeze(0)).float().cpu()[0]
    falls = []
    with ProgressBar(total=len(windows), desc="hiding", unit="window", disable=not progress) as bar:
        for start in range(0, len(windows), _BATCH):
            hidden = torch.stack([hide(image, grid, *window) for window in windows[start : start + _BATCH]])
            falls.append(whole - scores(hidden).float().cpu())
            bar.update(len(hidden))
    of_windows = torch.cat(falls).T.unflatten(1, (rows, columns))
    return whole, F.avg_pool2d(of_windows, WINDOW, stride=1)


def hide(image: Tensor, grid: PatchGrid, row: int, column: int, fill: Tensor | None = None) -> Tensor:
    """Hide the window of a picture whose first square stands at a row and a column of the grid, from -1.

    Args:
        image: (3, H, W), preprocessed.
        grid: The squares.
        row: The first row.
        column: The first column.
        fill: (3, H, W), what is seen there; None for the mean colour of the picture.

    Returns:
        (3, H, W), a copy.
    """
    fill = image.mean(dim=(1, 2), keepdim=True).expand_as(image) if fill is None else fill
    down, across = (slice(max(0, first * grid.stride), (first + WINDOW) * grid.stride) for first in (row, column))
    copy = image.clone()
    copy[:, down, across] = fill[:, down, across]
    return copy
