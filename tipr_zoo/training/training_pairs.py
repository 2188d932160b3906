"""The order of the pairs that training goes through."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

from tipr_zoo.protocols import PairSampler as PairSampler
from tipr_zoo.registries import SAMPLERS


@SAMPLERS.register_module()
class ShuffledPairs(Sampler[tuple[int, int]]):
    """Every pair once an epoch. The order depends on the seed and the epoch alone.

    Args:
        lengths: (C,) int64, number of tokens of each pair's caption.
        seed: Seed of the order.
        batch_size: Pairs of a batch.
        by_length: Whether the captions of a batch have nearly the same length, so that little of it is padding. The
            pairs are shuffled, then sorted by length in pools of `POOL` batches; then the batches are shuffled.
    """

    POOL = 16

    def __init__(self, lengths: Tensor, seed: int, batch_size: int, by_length: bool = False) -> None:
        self.lengths, self.seed, self.epoch = lengths, seed, 0
        self.batch_size, self.by_length = batch_size, by_length

    def set_epoch(self, epoch: int) -> None:
        """Note the number of the next epoch; MMEngine calls this before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self), generator=generator)
        if self.by_length:
            pools = [pool[self.lengths[pool].argsort(stable=True)] for pool in order.split(self.POOL * self.batch_size)]
            batches = torch.cat(pools).split(self.batch_size)
            whole = [batch for batch in batches if len(batch) == self.batch_size]
            rest = [batch for batch in batches if len(batch) < self.batch_size]
            shuffled = [whole[index] for index in torch.randperm(len(whole), generator=generator).tolist()]
            order = torch.cat([*shuffled, *rest])
        for index in order.tolist():
            yield self.epoch, index

    def __len__(self) -> int:
        return len(self.lengths)
