"""SEN's sampler: what an epoch is made of, that it depends on seed and epoch alone, and data too small for it."""

from __future__ import annotations

from itertools import groupby

import pytest
import torch
from tipr_zoo_sen.components import IdentityRandomNumberSampler
from torch import Tensor
from torch.utils.data import BatchSampler

from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import SAMPLERS


def identities_with(*counts: int) -> Tensor:
    """Pairs in a mixed order: as many of identity 0, 1, ... as given."""
    ordered = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return ordered[torch.randperm(len(ordered), generator=torch.Generator().manual_seed(0))]


def epoch_of(sampler: IdentityRandomNumberSampler, epoch: int) -> list[int]:
    """The indices of one epoch; every key carries the epoch."""
    sampler.set_epoch(epoch)
    keys = list(sampler)
    assert {key_epoch for key_epoch, _ in keys} == {epoch}
    return [index for _, index in keys]


MANY = identities_with(*[1, 2, 3, 4, 5, 8, 20] * 10)


def test_it_is_found_by_the_name_that_the_published_code_gives_it() -> None:
    sampler = SAMPLERS.build({"type": "idrannum"}, identities=MANY, seed=0, batch_size=16)
    assert isinstance(sampler, IdentityRandomNumberSampler)


@pytest.mark.parametrize("epoch", range(5))
def test_no_pair_comes_twice_and_what_is_left_belongs_to_fewer_identities_than_a_round_takes(epoch: int) -> None:
    order = epoch_of(IdentityRandomNumberSampler(MANY, seed=0, batch_size=16), epoch)
    assert len(order) == len(set(order))
    unseen = set(range(len(MANY))) - set(order)
    assert 0 < len({int(MANY[index]) for index in unseen}) < 16 // 2


def test_an_identity_gives_one_or_two_pairs_at_a_time_as_it_drew() -> None:
    identities = identities_with(2, 2, 2, 2)  # with four identities a round, an epoch is one round or two
    sampler = IdentityRandomNumberSampler(identities, seed=0, batch_size=8)
    sizes = []
    for epoch in range(200):
        order = epoch_of(sampler, epoch)
        groups = [(identity, len(list(run))) for identity, run in groupby(order, lambda index: int(identities[index]))]
        assert sorted(identity for identity, _ in groups[:4]) == [0, 1, 2, 3]
        if len(groups) == 4:
            sizes += [size for _, size in groups]
    assert set(sizes) == {1, 2}
    assert 0.4 < sizes.count(1) / len(sizes) < 0.6


def test_a_group_is_smaller_where_the_number_does_not_divide_the_pairs() -> None:
    identities = identities_with(1, 3)
    sampler = IdentityRandomNumberSampler(identities, seed=0, batch_size=2)  # one identity a round: nothing is left
    for epoch in range(20):
        assert sorted(epoch_of(sampler, epoch)) == [0, 1, 2, 3]


def test_the_numbers_of_an_epoch_are_drawn_anew() -> None:
    sampler = IdentityRandomNumberSampler(identities_with(2, 2, 2, 2), seed=0, batch_size=8)
    assert len({len(epoch_of(sampler, epoch)) for epoch in range(20)}) > 1


def test_groups_of_one_make_batches_without_a_repeated_identity() -> None:
    sampler = IdentityRandomNumberSampler(MANY, seed=0, batch_size=16, largest_group=1)
    batches = torch.tensor(epoch_of(sampler, 0)).split(16)
    assert all(len(MANY[batch].unique()) == 16 for batch in batches)


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    sampler = IdentityRandomNumberSampler(MANY, seed=3, batch_size=16)
    first, second = epoch_of(sampler, 0), epoch_of(sampler, 1)
    assert first != second
    assert second == epoch_of(IdentityRandomNumberSampler(MANY, seed=3, batch_size=16), 1), "as after a resumption"
    assert first == epoch_of(sampler, 0)
    assert first != epoch_of(IdentityRandomNumberSampler(MANY, seed=4, batch_size=16), 0)


def test_its_length_is_that_of_the_current_epoch() -> None:
    sampler = IdentityRandomNumberSampler(MANY, seed=0, batch_size=16)
    batches = BatchSampler(sampler, batch_size=16, drop_last=True)
    lengths = []
    for epoch in range(10):
        sampler.set_epoch(epoch)
        lengths.append(len(sampler))
        assert len(list(sampler)) == len(sampler)
        assert len(list(batches)) == len(batches)
    assert len(set(lengths)) > 1


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        (
            (4, 4, 4),
            {"batch_size": 8},
            "takes 4 identities a round at batch_size 8, but the training split has 3; set training.batch_size to at"
            " most 6",
        ),
        ((4, 4, 4), {"batch_size": 1}, "which is none for batch_size 1; set training.batch_size to at least 2"),
        ((4, 4, 4), {"batch_size": 4, "largest_group": 0}, "largest_group .* must be a whole number above 0, got 0"),
    ],
)
def test_a_round_that_cannot_be_filled(counts: tuple[int, ...], options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        IdentityRandomNumberSampler(identities_with(*counts), seed=0, **options)


def test_as_few_identities_as_a_round_takes_are_enough() -> None:
    assert len(epoch_of(IdentityRandomNumberSampler(identities_with(4, 4, 4), seed=0, batch_size=6), 0)) >= 3
