"""What a batch has besides pictures, captions and identities: asked for by name, and brought by somebody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import TiprZooError
from tipr_zoo.registries import SAMPLERS
from tipr_zoo.training.pairs.training_loader import training_loader
from tipr_zoo.training.training_pairs import ShuffledPairs

TRAINING = {"batch_size": 6, "seed": 3, "num_workers": 0, "masking": True}


class Needing(nn.Module):
    """A loss that needs something of the batch."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.needs_of_batch = names


@pytest.fixture
def people(synthpedes: Any) -> PersonDataset:
    """Six identities, 24 captions."""
    return open_dataset(str(synthpedes), split="train")


def batches(people: PersonDataset, model: DualEncoder, needing: tuple[object, ...] = (), **training: Any) -> Any:
    loader = training_loader({**TRAINING, **training}, model, people, needing)
    return list(loader), loader.dataset


def test_what_is_asked_for_is_there_and_changes_nothing_else(people: PersonDataset, tiny_model: DualEncoder) -> None:
    views = {"second_images": {"flip": 0.0, "erase": 0.0, "pad": 0}, "third_images": [{"type": "RandomInvert", "p": 1}]}
    needs = Needing("pair_indices", "picture_indices", "second_caption_ids", "second_images")
    plain, _ = batches(people, tiny_model)
    found, pairs = batches(people, tiny_model, (needs,), views=views)
    assert len(plain) == len(found) == 4
    for one, other in zip(plain, found, strict=True):
        assert all(torch.equal(value, other[name]) for name, value in one.items())
        assert other.keys() - one.keys() == {*needs.needs_of_batch, "third_images"}
        indices = other["pair_indices"].tolist()
        assert other["picture_indices"].tolist() == [people.caption_picture_indices[i] for i in indices]
        for row, index in enumerate(indices):
            picture = people.caption_picture_indices[index]
            whole = pairs.normalisation.undo(other["second_images"][row])
            inverted = pairs.normalisation.undo(other["third_images"][row])
            assert torch.allclose(whole + inverted, torch.ones(()), atol=1e-5)
            ids = other["second_caption_ids"][row].tolist()
            same = [i for i in range(24) if people.labels[people.caption_picture_indices[i]] == people.labels[picture]]
            others = [pairs.caption_ids[i].tolist() for i in same if i != index]
            assert ids in others


def test_an_augmentation_in_place_changes_no_other_view(people: PersonDataset, tiny_model: DualEncoder) -> None:
    views = {"second_images": [], "third_images": [{"type": "RandomErasing", "p": 1.0, "inplace": True}]}
    found, _ = batches(
        people, tiny_model, augmentation={"type": "RandomErasing", "p": 1.0, "inplace": True}, views=views
    )
    whole, _ = batches(people, tiny_model, augmentation=[])
    for batch, untouched in zip(found, whole, strict=True):
        assert torch.equal(batch["second_images"], untouched["images"])
        assert not torch.equal(batch["images"], untouched["images"])
        assert not torch.equal(batch["third_images"], batch["images"])


def test_second_captions_are_drawn_anew_each_time(people: PersonDataset, tiny_model: DualEncoder) -> None:
    _, pairs = batches(people, tiny_model, (Needing("second_caption_ids"),))
    drawn = {tuple(pairs[epoch, 0]["second_caption_ids"].tolist()) for epoch in range(20)}
    assert len(drawn) > 1
    assert tuple(pairs.caption_ids[0].tolist()) not in drawn
    pairs.same_person = [torch.tensor([5])] * 6  # nobody has another caption
    assert pairs[0, 5]["second_caption_ids"].tolist() == pairs.caption_ids[5].tolist()


def test_trimming_keeps_the_second_caption_whole(people: PersonDataset, tiny_model: DualEncoder) -> None:
    needs = (Needing("second_caption_ids"),)
    whole, _ = batches(people, tiny_model, needs)
    cut, pairs = batches(people, tiny_model, needs, trim_padding=True)
    assert any(batch["caption_ids"].shape[1] < 77 for batch in cut)
    end = int(pairs.caption_ids.max())
    for batch in cut:
        assert batch["caption_ids"].shape == batch["second_caption_ids"].shape
        assert bool((batch["second_caption_ids"] == end).any(dim=1).all())
    assert len(whole) == len(cut)


def test_a_data_set_brings_entries(people: PersonDataset, tiny_model: DualEncoder) -> None:
    people.pair_entries = {"trust": torch.linspace(0, 1, 24)}  # type: ignore[attr-defined]
    needs = (Needing("trust", "pair_indices"),)
    for batch in batches(people, tiny_model, needs)[0]:
        assert torch.equal(batch["trust"], people.pair_entries["trust"][batch["pair_indices"]])  # type: ignore[attr-defined]


def test_a_sampler_brings_entries(
    people: PersonDataset, tiny_model: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Numbered(ShuffledPairs):
        brings_to_batch = ("place",)

        def __iter__(self) -> Iterator[Any]:
            for place, (epoch, index) in enumerate(super().__iter__()):
                yield epoch, index, {"place": place}

    SAMPLERS.names()
    monkeypatch.setattr(SAMPLERS, "_module_dict", {**SAMPLERS._module_dict, "Numbered": Numbered})
    found, _ = batches(people, tiny_model, (Needing("place"),), sampler={"type": "Numbered"})
    assert torch.cat([batch["place"] for batch in found]).tolist() == list(range(24))


class Rows:
    """Stands in the place of what a data set brings."""

    def __init__(self, value: Any) -> None:
        self.value = value


@pytest.mark.parametrize(
    ("changed", "needs", "told"),
    [
        ({}, ("pair_index",), "unknown batch entry needed by Needing: 'pair_index'; did you mean 'pair_indices'"),
        ({}, ("second_images",), r"is brought by training\.views=dict\(second_images=dict\(flip=0\.5\)\)"),
        ({"masking": False}, ("mlm_ids",), r"needs the batch entry 'mlm_ids'; set training\.masking=True"),
        ({"views": [1]}, (), r"training\.views must be a dict from batch entries to augmentations"),
        ({"views": {"images": {}}}, (), r"training\.views\.images: every batch may have 'images' already"),
        ({"views": {"more": {"flop": 1}}}, (), r"unknown entry of training\.views\.more 'flop'; did you mean 'flip'"),
        ({"views": {"more": {"type": "ColorJiter"}}}, (), "unknown picture augmentation 'ColorJiter'; did you mean"),
        ({"views": {"more": 5}}, (), r"training\.views\.more must be a dict, or a list of dicts"),
        (Rows([1]), (), r"pair_entries of SynthPEDES must be a dict of tensors, got \[1\]"),
        (Rows({"trust": torch.zeros(3)}), (), r"'trust' must be a tensor of 24 rows, got \(3,\)"),
        (Rows({"trust": "high"}), (), "'trust' must be a tensor of 24 rows, got str"),
        (Rows({"pids": torch.zeros(24)}), (), "'pids' is an entry of the zoo's own"),
    ],
)
def test_what_nothing_brings_is_told_before_the_first_step(
    people: PersonDataset, tiny_model: DualEncoder, changed: Any, needs: tuple[str, ...], told: str
) -> None:
    if isinstance(changed, Rows):
        people.pair_entries, changed = changed.value, {}  # type: ignore[attr-defined]
    with pytest.raises(TiprZooError, match=told) as caught:
        batches(people, tiny_model, (Needing(*needs),), **changed)
    assert "\n" not in str(caught.value)


def test_a_loss_that_asks_for_what_is_not_in_a_batch_is_told(people: PersonDataset, tiny_model: DualEncoder) -> None:
    (batch, *_), _ = batches(people, tiny_model)

    class Asking(nn.Module):
        def forward(self, features: Any, batch: Any) -> Tensor:
            return batch["pair_indices"].float().sum()

    tiny_model.losses["asking"] = Asking()
    with pytest.raises(TiprZooError, match="the batch has no 'pair_indices', which this model's losses need"):
        tiny_model.loss(batch)
    del tiny_model.losses["asking"]
