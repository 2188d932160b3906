"""The pairs that each step trains on, and this process's share of them."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import Sampler

from tipr_zoo.distributed import process_count, process_rank
from tipr_zoo.errors import ConfigError
from tipr_zoo.training.training_pairs import PairSampler


class BatchSampler(Sampler[list[tuple[int, int]]]):
    """The order of a `PairSampler`, cut into batches; each batch is cut into equal shares of the processes.

    The batch is that of all processes together. So a recipe means the same on one GPU and on eight, and no pair of an
    epoch goes to two processes. Pairs at the end of an epoch that fill no batch are not seen in that epoch. An epoch
    shorter than a batch is one batch, of as many pairs as divide evenly.

    Args:
        sampler: The order of the pairs.
        batch_size: Pairs of a batch, of all processes together.

    Raises:
        ConfigError: The batch cannot be divided evenly.
    """

    def __init__(self, sampler: PairSampler, batch_size: int) -> None:
        if batch_size % process_count():
            raise ConfigError(
                f"training.batch_size {batch_size} is that of all processes together and cannot be divided among"
                f" {process_count()}; take a multiple of {process_count()}"
            )
        self.sampler, self.batch_size = sampler, batch_size
        self.first_step = 0

    def start_at(self, step: int) -> None:
        """Leave out the first `step` batches of the next epoch: a resumed run has done them already."""
        self.first_step = step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        keys = list(self.sampler)
        first, self.first_step = self.first_step, 0
        for step in range(first, self._count(len(keys))):
            yield self._share(keys, step)

    def __len__(self) -> int:
        """Return the number of batches of the current epoch; those left out at its beginning count, too."""
        return self._count(len(self.sampler))

    def keys_of(self, step: int) -> list[tuple[int, int]]:
        """Return this process's (epoch, index) keys of one step of the current epoch."""
        return self._share(list(self.sampler), step)

    def _count(self, pairs: int) -> int:
        return max(pairs // self.batch_size, 1)

    def _share(self, keys: list[tuple[int, int]], step: int) -> list[tuple[int, int]]:
        batch = keys[step * self.batch_size : (step + 1) * self.batch_size]
        size = len(batch) // process_count()
        if not size:
            raise ConfigError(f"an epoch of {len(keys)} pairs cannot be divided among {process_count()} processes")
        return batch[process_rank() * size : (process_rank() + 1) * size]
