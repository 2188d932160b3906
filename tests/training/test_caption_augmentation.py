"""The recipe's ``training.caption_augmentation``: found by name, and what it makes of a caption is what is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import TiprZooError
from tipr_zoo.registries import CAPTION_AUGMENTATIONS
from tipr_zoo.training.pairs.augmentation import Augmentation
from tipr_zoo.training.pairs.pairs import TrainingPairs
from tipr_zoo.training.train import train

TINY = "a_tiny_model"
WHOLE = {"type": "WholeCaptions"}


class FirstWords:
    """A caption augmentation as a plugin might bring it: every other caption loses what follows its first words."""

    asked: set[int]

    def __init__(self, captions: Sequence[str], count: int = 3) -> None:
        self.captions, self.count = captions, count
        type(self).asked = set()

    def __call__(self, index: int, generator: torch.Generator) -> str:
        self.asked.add(index)
        cut = bool(torch.rand((), generator=generator) < 0.5)
        return " ".join(self.captions[index].split()[: self.count]) if cut else self.captions[index]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """`FirstWords` is registered for the time of a test."""
    CAPTION_AUGMENTATIONS.names()
    monkeypatch.setattr(CAPTION_AUGMENTATIONS, "_module_dict", dict(CAPTION_AUGMENTATIONS._module_dict))
    monkeypatch.setattr(CAPTION_AUGMENTATIONS, "_places", dict(CAPTION_AUGMENTATIONS._places))
    CAPTION_AUGMENTATIONS.register_module()(FirstWords)


@pytest.fixture
def people(synthpedes: Path) -> PersonDataset:
    """Six identities, 24 captions."""
    return open_dataset(str(synthpedes), split="train")


def pairs_with(config: dict[str, Any], people: PersonDataset, model: DualEncoder) -> TrainingPairs:
    augmentation = CAPTION_AUGMENTATIONS.build(config, captions=people.captions)
    return TrainingPairs(people, model, Augmentation(), 0, True, augmentation)


def test_the_augmented_caption_is_what_is_learnt_and_masked(tiny_model: DualEncoder, people: PersonDataset) -> None:
    pairs = pairs_with({"type": "FirstWords"}, people, tiny_model)
    cut = tiny_model.tokenize([" ".join(caption.split()[:3]) for caption in people.captions])
    whole = tiny_model.tokenize(people.captions)
    is_cut = []
    for index in range(len(pairs)):
        pair = pairs[0, index]
        is_cut.append(torch.equal(pair["caption_ids"], cut[index]))
        assert is_cut[-1] or torch.equal(pair["caption_ids"], whole[index])
        masked = pair["mlm_labels"] > 0
        assert torch.equal(pair["mlm_labels"][masked], pair["caption_ids"][masked])
    assert {True, False} == set(is_cut)


def test_pictures_are_the_same_whatever_is_done_to_captions(tiny_model: DualEncoder, people: PersonDataset) -> None:
    pairs, whole = pairs_with({"type": "FirstWords"}, people, tiny_model), pairs_with(WHOLE, people, tiny_model)
    for index in range(len(pairs)):
        assert torch.equal(pairs[2, index]["images"], whole[2, index]["images"])


def test_whole_captions_are_the_default(tiny_model: DualEncoder, people: PersonDataset) -> None:
    named, default = pairs_with(WHOLE, people, tiny_model), TrainingPairs(people, tiny_model, Augmentation(), 0, True)
    for name, value in default[1, 7].items():
        assert torch.equal(named[1, 7][name], value)
    assert torch.equal(default[1, 7]["caption_ids"], tiny_model.tokenize(people.captions[7])[0])


def test_training_uses_what_the_recipe_names(tiny_zoo: Path, people: PersonDataset, tmp_path: Path) -> None:
    overrides = {"training.caption_augmentation": {"type": "FirstWords", "count": 5}, "training.max_epochs": 1}
    train(TINY, people, None, tmp_path, overrides=overrides)
    assert FirstWords.asked == set(range(24))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "WholeCaption"}, "unknown caption augmentation 'WholeCaption'; did you mean 'WholeCaptions'"),
        ({"type": "FirstWords", "cuont": 2}, "argument of caption augmentation 'FirstWords' 'cuont'; did you mean"),
        ("FirstWords", "a caption augmentation is configured by a dict with a 'type', got 'FirstWords'"),
    ],
)
def test_a_wrong_one_is_told(tiny_zoo: Path, people: PersonDataset, tmp_path: Path, config: Any, message: str) -> None:
    with pytest.raises(TiprZooError) as raised:
        train(TINY, people, None, tmp_path, overrides={"training.caption_augmentation": config})
    assert message in str(raised.value)
