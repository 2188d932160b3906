"""Random draws of a training step that are the same in one process and in several, and that a batch may decide."""

from __future__ import annotations

import torch
from torch import Tensor

from tipr_zoo.distributed import gather_rows, own_rows, process_count


def draw_among_pairs(weights: Tensor, noise: Tensor | None = None) -> Tensor:
    """Draw one pair of the batch of all processes for each row of this process.

    Args:
        weights: (B, M), of the M pairs of all processes, not negative; a row sums to more than 0.
        noise: (B,) in [0, 1), which decides the draws; see `by_noise`. Without it, they are random.

    Returns:
        (B,) int64, numbers of pairs.
    """
    if noise is not None:
        return by_noise(weights, noise)
    drawn = torch.multinomial(gather_rows(weights), 1).squeeze(1)
    return drawn[own_rows(len(weights))]


def draw_tokens(weights: Tensor, noise: Tensor | None = None) -> Tensor:
    """Draw one token id for each place of captions.

    Args:
        weights: (B, L, V), those of every token id, not negative.
        noise: (B, L) in [0, 1), which decides the draws; see `by_noise`. Without it, they are random.

    Returns:
        (B, L) int64.
    """
    if noise is not None:
        return by_noise(weights.flatten(0, 1), noise.flatten()).view(noise.shape)
    own, count = own_rows(len(weights)), process_count() * len(weights)
    drawn = []
    for row in range(count):  # one caption at a time: a process draws for those of the others, and forgets it
        is_own = own.start <= row < own.stop
        found = torch.multinomial(weights[row - own.start] if is_own else torch.ones_like(weights[0]), 1)
        drawn += [found.squeeze(1)] if is_own else []
    return torch.stack(drawn)


def by_noise(weights: Tensor, noise: Tensor) -> Tensor:
    """Draw by given numbers: in falling order of the weights, the first whose sum with those before it passes.

    Args:
        weights: (R, M), not negative.
        noise: (R,) in [0, 1). Uniform numbers give each its weight's chance, and 0 the largest weight.

    Returns:
        (R,) int64.
    """
    falling, order = weights.double().sort(dim=1, descending=True)
    sums = falling.cumsum(1)
    passed = (sums <= noise.double().unsqueeze(1) * sums[:, -1:]).sum(1)
    return order.gather(1, passed.clamp(max=weights.shape[1] - 1).unsqueeze(1)).squeeze(1)
