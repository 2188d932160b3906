"""The recipe's ``training.sampler``: found by name, told what its constructor names, and followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Sampler

from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import TiprZooError
from tipr_zoo.registries import SAMPLERS
from tipr_zoo.training.pairs.pairs import TrainingPairs
from tipr_zoo.training.train import train
from tipr_zoo.training.training_pairs import ShuffledPairs

TINY = "a_tiny_model"

made: list[Sampler[tuple[int, int]]] = []
"""The samplers that were made, the last one last."""


class FirstOfEachIdentity(Sampler[tuple[int, int]]):
    """A sampler as a plugin might bring it: it names what it wants to know, and has an option of its own."""

    def __init__(self, identities: Tensor, batch_size: int, times: int = 1) -> None:
        self.identities, self.batch_size, self.times, self.epochs = identities, batch_size, times, [-1]
        made.append(self)

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        firsts = [self.identities.tolist().index(identity) for identity in self.identities.unique()]
        yield from [(self.epochs[-1], index) for index in firsts] * self.times

    def __len__(self) -> int:
        return len(self.identities.unique()) * self.times


class NotedShuffledPairs(ShuffledPairs):
    """The default, which says what it was made with."""

    def __init__(self, lengths: Tensor, seed: int, batch_size: int, by_length: bool = False) -> None:
        super().__init__(lengths, seed, batch_size, by_length)
        made.append(self)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both samplers are registered for the time of a test."""
    SAMPLERS.names()
    monkeypatch.setattr(SAMPLERS, "_module_dict", dict(SAMPLERS._module_dict))
    monkeypatch.setattr(SAMPLERS, "_places", dict(SAMPLERS._places))
    SAMPLERS.register_module()(FirstOfEachIdentity)
    SAMPLERS._module_dict["ShuffledPairs"] = NotedShuffledPairs  # a package cannot replace what another registered
    made.clear()


@pytest.fixture
def people(synthpedes: Path) -> PersonDataset:
    """Six identities, 24 captions."""
    return open_dataset(str(synthpedes), split="train")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The keys of the pairs that training asks for, as it goes."""
    keys: list[tuple[int, int]] = []
    get = TrainingPairs.__getitem__

    def noted(pairs: TrainingPairs, key: tuple[int, int]) -> dict[str, Tensor]:
        keys.append(key)
        return get(pairs, key)

    monkeypatch.setattr(TrainingPairs, "__getitem__", noted)
    return keys


def run(people: PersonDataset, work_dir: Path, **entries: Any) -> None:
    train(TINY, people, None, work_dir, overrides={f"training.{name}": value for name, value in entries.items()})


def test_a_sampler_is_told_what_its_constructor_names(tiny_zoo: Path, people: PersonDataset, tmp_path: Path) -> None:
    run(people, tmp_path, sampler={"type": "FirstOfEachIdentity", "times": 2}, batch_size=4)
    (sampler,) = made
    assert isinstance(sampler, FirstOfEachIdentity)
    assert sampler.identities.tolist() == [people.labels[index] for index in people.caption_picture_indices]
    assert (sampler.batch_size, sampler.times) == (4, 2)


def test_an_epoch_is_what_the_sampler_yields(
    tiny_zoo: Path, people: PersonDataset, tmp_path: Path, seen: list[tuple[int, int]]
) -> None:
    run(people, tmp_path, sampler={"type": "FirstOfEachIdentity"}, batch_size=3)
    assert seen == [(epoch, 4 * identity) for epoch in (0, 1) for identity in range(6)]


def test_an_epoch_shorter_than_a_batch_is_one_batch(
    tiny_zoo: Path, people: PersonDataset, tmp_path: Path, seen: list[tuple[int, int]]
) -> None:
    run(people, tmp_path, sampler={"type": "FirstOfEachIdentity"}, batch_size=8)
    assert len(seen) == 2 * 6


@pytest.mark.parametrize("sampler", [None, {"type": "ShuffledPairs"}], ids=["left out", "named"])
@pytest.mark.parametrize("trim_padding", [True, False])
def test_pairs_are_shuffled_unless_the_recipe_says_otherwise(
    tiny_zoo: Path, people: PersonDataset, tmp_path: Path, sampler: dict[str, str] | None, trim_padding: bool
) -> None:
    run(people, tmp_path, sampler=sampler, trim_padding=trim_padding, seed=5, max_epochs=1)
    (shuffled,) = made
    assert isinstance(shuffled, ShuffledPairs)
    assert shuffled.by_length == trim_padding, "by length only where a batch is cut after its longest caption"
    assert (shuffled.seed, shuffled.batch_size) == (5, 8)
    assert len(shuffled) == 24
    assert torch.is_tensor(shuffled.lengths)
    assert shuffled.lengths.min() > 2


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        ({"type": "ShufledPairs"}, "unknown sampler 'ShufledPairs'; did you mean 'ShuffledPairs'"),
        ({"type": "torch.utils.data.RandomSampler"}, "unknown sampler 'torch.utils.data.RandomSampler'"),
        ({"type": "FirstOfEachIdentity", "tims": 2}, "argument of sampler 'FirstOfEachIdentity' 'tims'; did you mean"),
        ({"times": 2}, "a sampler is configured by a dict with a 'type'"),
        ("ShuffledPairs", "a sampler is configured by a dict with a 'type', got 'ShuffledPairs'"),
    ],
)
def test_a_wrong_sampler_is_told(
    tiny_zoo: Path, people: PersonDataset, tmp_path: Path, sampler: Any, message: str
) -> None:
    with pytest.raises(TiprZooError) as raised:
        run(people, tmp_path, sampler=sampler)
    assert message in str(raised.value)
