"""The convolutions in the place of a vision transformer's patches."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import nn


def stem_layers(patch_size: int, in_chans: int, embed_dim: int) -> nn.Sequential:
    """Make a chain of 3 x 3 convolutions, each of which halves the picture, and one that projects.

    Args:
        patch_size: Side of the square that one token stands for, a power of two.
        in_chans: Channels of the picture.
        embed_dim: Width of the tokens.
    """
    steps = int(math.log2(patch_size))
    widths = [in_chans, *(max(16, embed_dim // 2 ** (steps - 1 - step)) for step in range(steps - 1)), embed_dim]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [
            nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(embed_dim, embed_dim, kernel_size=1))
