"""``training.noise``: captions exchanged on purpose, by rate and seed or by a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, DataError, TiprZooError
from tipr_zoo.training.pairs.caption_noise import CaptionNoise
from tipr_zoo.training.pairs.training_loader import training_loader
from tipr_zoo.training.train import train

TINY = "a_tiny_model"
Splits = tuple[PersonDataset, PersonDataset]


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 1.0])
def test_a_share_of_the_pairs_exchange_their_captions(rate: float) -> None:
    order = CaptionNoise(rate=rate, seed=1).order(500)
    assert sorted(order) == list(range(500))
    assert sum(index != place for place, index in enumerate(order)) == round(500 * rate)
    assert order == CaptionNoise(rate=rate, seed=1).order(500)
    assert rate == 0 or order != CaptionNoise(rate=rate, seed=2).order(500)


def test_pictures_keep_their_person_and_get_another_caption(splits: Splits, tiny_model: DualEncoder) -> None:
    people = splits[0]
    noise = {"rate": 0.5, "seed": 4}
    pairs: Any = training_loader({"batch_size": 4, "num_workers": 0, "noise": noise}, tiny_model, people).dataset
    order = CaptionNoise(**noise).order(24)
    assert pairs.captions == [people.captions[index] for index in order]
    assert people.captions != pairs.captions
    identities = [people.labels[index] for index in people.caption_picture_indices]
    assert pairs.identities.tolist() == identities
    wrong = [identities[index] != identities[place] for place, index in enumerate(order)]
    assert pairs.exchanged.tolist() == wrong
    assert 0 < sum(wrong) <= 12
    assert torch.equal(pairs[0, 3]["caption_ids"], tiny_model.tokenize(people.captions[order[3]])[0])


def test_a_file_says_which_captions_are_exchanged(splits: Splits, tiny_model: DualEncoder, tmp_path: Path) -> None:
    order = np.roll(np.arange(24), 5)
    np.save(tmp_path / "noise.npy", order)
    noise = {"file": str(tmp_path / "noise.npy")}
    pairs: Any = training_loader({"batch_size": 4, "num_workers": 0, "noise": noise}, tiny_model, splits[0]).dataset
    assert pairs.captions == [splits[0].captions[index] for index in order]


class Trap:
    """Would run if a pickle of it were read."""

    def __reduce__(self) -> Any:
        return (Path("trapped").touch, ())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: No such file"),
        (b"hello", "it is damaged, or no array of NumPy's"),
        (np.arange(23), "a whole number for each of the 24 training pairs, and holds int64 \\(23,\\)"),
        (np.arange(24.0), "holds float64"),
        (np.zeros(24, dtype=int), "it must name each of the 24 pairs once, from 0"),
        (np.arange(1, 25), "it must name each of the 24 pairs once"),
        (np.array([Trap()], dtype=object), "it is damaged, or no array of NumPy's"),
    ],
)
def test_a_file_of_something_else_is_told(content: Any, told: str, tmp_path: Path) -> None:
    file = tmp_path / "noise.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, content, allow_pickle=True)
    with pytest.raises(DataError, match=told) as caught:
        CaptionNoise(file=str(file)).order(24)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("noise", "told"),
    [
        ({"rate": 1.5}, "is a share of the pairs, from 0 to 1, got 1.5"),
        ({"rate": -0.1}, "is a share of the pairs"),
        ({"rate": "x"}, r"training\.noise\.rate must be like 0\.0, got 'x'"),
        ({"seed": -1}, r"training\.noise\.seed must be .*got -1"),
        ({"seed": 10**30}, r"training\.noise\.seed must be"),
        ({"rates": 0.1}, "did you mean 'rate'"),
        ({"rate": 0.1, "file": "noise.npy"}, "has a rate and a file"),
        (0.2, r"training\.noise must be a dict, got 0\.2"),
    ],
)
def test_noise_that_makes_no_sense_is_told(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, noise: Any, told: str
) -> None:
    with pytest.raises(TiprZooError, match=told):
        train(TINY, *splits, tmp_path, overrides={"training.noise": noise, "training.max_epochs": 1})


def test_a_training_does_not_go_on_with_other_captions(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    train(TINY, *splits, tmp_path, overrides={"training.noise.rate": 0.5, "training.max_epochs": 1})
    for changed in ({}, {"training.noise.rate": 0.5, "training.noise.seed": 1}):
        with pytest.raises(ConfigError, match="exchange of captions"):
            train(TINY, *splits, tmp_path, resume=True, overrides={"training.max_epochs": 2, **changed})
    train(TINY, *splits, tmp_path, resume=True, overrides={"training.noise.rate": 0.5, "training.max_epochs": 2})
