"""``training.augmentation``: the usual four changes by number, or registered ones by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tipr_zoo.errors import TiprZooError
from tipr_zoo.pictures.preprocessing import ImageNormalisation
from tipr_zoo.registries import PICTURE_AUGMENTATIONS
from tipr_zoo.training.pairs.augmentation_steps import build_augmentation
from tipr_zoo.training.picture_augmentation import TORCHVISION

PLACE = "training.augmentation"
NORMALISATION = ImageNormalisation()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(seed: int = 0) -> Tensor:
    return torch.randint(256, (3, 48, 24), dtype=torch.uint8, generator=generator(seed))


def changed(entry: Any, seed: int = 0) -> Tensor:
    change = build_augmentation(entry, PLACE, (48, 24), NORMALISATION)
    return change(pixels(), NORMALISATION, generator(seed))


@pytest.mark.parametrize("seed", range(8))
def test_the_four_by_name_are_the_four_by_number(seed: int) -> None:
    by_number = changed({"flip": 0.5, "pad": 4, "erase": 0.5, "erased_area": (0.1, 0.2)}, seed)
    steps = [{"type": "HorizontalFlip"}, {"type": "Shift", "pixels": 4}, {"type": "Erase", "area": (0.1, 0.2)}]
    assert torch.equal(changed(steps, seed), by_number)


@pytest.mark.parametrize("entry", [None, {}])
def test_without_an_entry_it_is_the_published_one(entry: Any) -> None:
    assert torch.equal(changed(entry), changed({"flip": 0.5, "pad": 10, "erase": 0.5}))


@pytest.mark.parametrize("name", PICTURE_AUGMENTATIONS.names())
def test_every_registered_one_draws_from_its_generator_alone(name: str) -> None:
    needed = {
        "ColorJitter": {"brightness": 0.3, "hue": 0.1},
        "GaussianBlur": {"kernel_size": 3},
        "RandomAdjustSharpness": {"sharpness_factor": 2},
        "RandomAffine": {"degrees": 10},
        "RandomCrop": {"padding": 4},
        "RandomGrayscale": {"p": 0.5},
        "RandomPosterize": {"bits": 3},
        "RandomRotation": {"degrees": 15},
        "RandomSolarize": {"threshold": 100},
    }
    entry = {"type": name, **needed.get(name, {})}
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = [changed(entry, seed) for seed in range(6)]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert all(torch.equal(one, changed(entry, seed)) for seed, one in enumerate(first))
    assert all(one.shape == (3, 48, 24) and one.dtype == torch.float32 for one in first)
    if name not in ("CenterCrop", "RandomAutocontrast"):  # which change nothing of this size, and of full contrast
        assert len({one.numpy().tobytes() for one in first}) > 1


def test_names_of_torchvision_are_there() -> None:
    assert {name for name in TORCHVISION if name in PICTURE_AUGMENTATIONS} >= {
        "ColorJitter",
        "RandomErasing",
        "RandAugment",
    }


class Smaller:
    def __call__(self, picture: Tensor, generator: torch.Generator) -> Any:
        return picture[:, 1:]


class Floating:
    def __call__(self, picture: Tensor, generator: torch.Generator) -> Any:
        return picture.float()


class Nothing:
    def __call__(self, picture: Tensor, generator: torch.Generator) -> Any:
        return None


class Failing:
    def __call__(self, picture: Tensor, generator: torch.Generator) -> Any:
        raise KeyError("oh\nno")


class OnNoDevice:
    def __call__(self, picture: Tensor, generator: torch.Generator) -> Any:
        return picture.to("meta")


class Thin:
    def __call__(self, picture: Tensor, generator: torch.Generator) -> Any:
        return picture.to_sparse()


class NoCall:
    pass


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"type": "os.system"}, "unknown picture augmentation 'os.system'"),
        ({"type": "ColourJitter"}, "did you mean 'ColorJitter'"),
        (
            {"type": "ColorJitter", "brightnes": 1},
            "'brightnes'; did you mean 'brightness'",
        ),
        ({"type": "RandomRotation"}, "missing a required (keyword-only )?argument: 'degrees'"),
        (
            {"type": "HorizontalFlip", "probability": 2},
            r"augmentation: probability of HorizontalFlip must be",
        ),
        ({"type": "HorizontalFlip", "probability": "x"}, r"augmentation\.probability must be a finite number"),
        ({"type": "Shift", "pixels": -1}, "pixels of Shift must be a whole number from 0"),
        ({"type": "Erase", "area": (0.4, 0.1)}, "area of Erase must be a smallest and a largest number above 0"),
        ({"type": "Erase", "area": (0.5, 1.5)}, r"area of Erase must be .* at most 1, got \(0\.5, 1\.5\)"),
        ({"erased_area": (0.5, 1.5)}, r"augmentation erased_area must be .* at most 1, got \(0\.5, 1\.5\)"),
        ([{"type": "Erase"}, {"type": "Shift"}], r"augmentation\[1\]: Shift changes pixels, and Erase before it"),
        ([{"flip": 0.5}], "is configured by a dict with a 'type'"),
        ("flip", r"training\.augmentation must be a dict, or a list of dicts with a 'type', got 'flip'"),
        ({"flop": 0.5}, r"unknown entry of training\.augmentation 'flop'; did you mean 'flip'"),
        (Smaller, r"Smaller must give a picture as it gets it, torch\.uint8 \(3, 48, 24\), and gives .*\(3, 47, 24\)"),
        (Floating, r"and gives torch\.float32"),
        (Nothing, "and gives NoneType"),
        (OnNoDevice, r"and gives torch\.uint8 \(3, 48, 24\) meta"),
        (Thin, r"and gives torch\.uint8 \(3, 48, 24\) torch\.sparse_coo"),
        (Failing, r"training\.augmentation: Failing failed: KeyError: .*; mend it"),
        (NoCall, "NoCall lacks __call__"),
    ],
)
def test_what_is_no_augmentation_is_told_in_one_line(entry: Any, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(entry, type):
        monkeypatch.setattr(
            PICTURE_AUGMENTATIONS, "_module_dict", {**PICTURE_AUGMENTATIONS._module_dict, entry.__name__: entry}
        )
        entry = {"type": entry.__name__}
    with pytest.raises(TiprZooError, match=told) as caught:
        changed(entry)
    assert "\n" not in str(caught.value)
