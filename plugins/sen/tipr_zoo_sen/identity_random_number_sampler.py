"""The sampler of SEN (arXiv 2307.09059): one or two pairs of an identity at a time, and many identities a batch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import SAMPLERS


@SAMPLERS.register_module("idrannum")
class IdentityRandomNumberSampler(Sampler[tuple[int, int]]):
    """Rounds over random identities. Each identity gives a random number of its pairs. SEN's code: ``idrannum``.

    Once an epoch, each identity draws a number n from 1 to `largest_group`. Its pairs are shuffled and cut into groups
    of n. The last group is smaller where n does not divide them. A round takes ``batch_size / largest_group`` random
    identities among those with groups left, and one group of each. Rounds go on until too few identities have a group
    left. The groups that remain are not seen in this epoch. The loader cuts the flat sequence of rounds into batches.
    So a batch can begin in one round and end in the next.

    The order depends only on the seed and the epoch.

    Args:
        identities: (C,) int64, the identity of each pair.
        seed: Seed of every draw.
        batch_size: Pairs of a batch.
        largest_group: Most pairs that an identity gives at a time. 2 in SEN.

    Raises:
        ConfigError: `largest_group` is no whole number above 0, there are fewer identities than a round takes, or a
            round would take none.
    """

    def __init__(self, identities: Tensor, seed: int, batch_size: int, largest_group: int = 2) -> None:
        if isinstance(largest_group, bool) or not isinstance(largest_group, int):
            raise ConfigError(f"largest_group of the sampler must be a whole number, got {largest_group!r}")
        self.identities = identities
        self.counts: list[int] = identities.unique(return_counts=True)[1].tolist()
        self.seed, self.largest_group, self.epoch = seed, largest_group, 0
        self.round_size = _round_size(batch_size, largest_group, len(self.counts))
        self._drawn: tuple[int, list[int]] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch. MMEngine calls this before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for index in self._order():
            yield self.epoch, index

    def __len__(self) -> int:
        """Return the exact number of pairs of the current epoch.

        It differs a little from epoch to epoch, since it depends on the drawn numbers. So a total that is computed once
        from it, e.g. that of a progress bar, is not exact to the step.
        """
        return len(self._order())

    def _order(self) -> list[int]:
        """Return the indices of the current epoch. They are drawn once."""
        if self._drawn is None or self._drawn[0] != self.epoch:
            self._drawn = (self.epoch, self._draw(torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)))
        return self._drawn[1]

    def _draw(self, generator: torch.Generator) -> list[int]:
        """Draw the indices of one epoch."""
        sizes = torch.randint(1, self.largest_group + 1, (len(self.counts),), generator=generator).tolist()
        shuffled = torch.randperm(len(self.identities), generator=generator)
        by_identity = shuffled[self.identities[shuffled].argsort(stable=True)].split(self.counts)
        groups = [pairs.split(size) for pairs, size in zip(by_identity, sizes, strict=True)]
        left = torch.tensor([len(groups_of_one) for groups_of_one in groups])
        order: list[int] = []
        while len(available := left.nonzero().squeeze(1)) >= self.round_size:
            chosen = available[torch.randperm(len(available), generator=generator)[: self.round_size]]
            left[chosen] -= 1
            for identity in chosen.tolist():
                order += groups[identity][left[identity]].tolist()
        return order


def _round_size(batch_size: int, largest_group: int, identity_count: int) -> int:
    """Return the number of identities that a round takes."""
    if largest_group < 1:
        raise ConfigError(f"largest_group of sampler 'idrannum' must be a whole number above 0, got {largest_group!r}")
    if batch_size < largest_group:
        raise ConfigError(
            f"sampler 'idrannum' takes batch_size / {largest_group} identities a round, which is none for batch_size"
            f" {batch_size}; set training.batch_size to at least {largest_group}"
        )
    if identity_count < (size := batch_size // largest_group):
        raise ConfigError(
            f"sampler 'idrannum' takes {size} identities a round at batch_size {batch_size}, but the training split has"
            f" {identity_count}; set training.batch_size to at most {identity_count * largest_group}"
        )
    return size
