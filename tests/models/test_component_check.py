"""A component that lacks what is promised of its kind is told when it is built, in one line with the missing name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.losses import SDM
from tipr_zoo.registries import REGISTRIES
from tipr_zoo.registry import Registry
from tipr_zoo.tokenizers import SmallTokenizer
from tipr_zoo.training.pairs.training_loader import training_loader

PAGE = "see Components in docs/plugin_contract.md"


class BareTower(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs


class NoForward(nn.Module):
    image_size = (8, 8)


class HalfANeck(nn.Module):
    image = nn.Identity()

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        return image, text


class NoModule:
    def __call__(self, *arguments: object) -> Tensor:
        return torch.zeros(())


class Nameless(SmallTokenizer):
    words = property()  # type: ignore[assignment]  # raises AttributeError

    def __init__(self) -> None:
        super().__init__("synthpedes.json")


class Needy(SDM):
    needs_of_image_tower = ("grid_size", "attention")
    needs_of_text_tower = ("attention",)


class NeedyInOneWord(SDM):
    needs_of_image_tower = "grid_size"


class Square(BareTower):
    image_size = 8


class OneEpoch:
    def __iter__(self) -> Iterator[tuple[int, int]]:
        yield 0, 0


class NoCall:
    def __init__(self, captions: Any) -> None:
        pass


class NoSpecification(PersonDataset):
    pass


@pytest.fixture
def registered() -> Iterator[None]:
    """The classes above under their names, for as long as the test runs."""
    kinds: dict[str, list[Any]] = {
        "backbone": [BareTower, NoForward, HalfANeck, Square],
        "loss": [NoModule, NoForward, Needy, NeedyInOneWord],
        "head": [NoForward],
        "tokenizer": [Nameless],
        "sampler": [OneEpoch],
        "caption augmentation": [NoCall],
        "data set": [NoSpecification, NoCall],
    }
    added: list[tuple[Registry, str]] = []
    for registry in REGISTRIES:
        for component in kinds.get(registry.name, []):
            registry.register_module(module=component)
            added.append((registry, component.__name__))
    yield
    for registry, name in added:
        del registry._module_dict[name], registry._places[name]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            {"model.image_encoder": {"type": "BareTower"}},
            "model.image_encoder: BareTower lacks image_size, which every image tower has",
        ),
        (
            {"model.image_encoder": {"type": "NoForward"}},
            "model.image_encoder: NoForward lacks forward, which every image tower has",
        ),
        (
            {"model.text_encoder": {"type": "NoForward"}},
            "model.text_encoder: NoForward lacks forward, which every text tower has",
        ),
        ({"model.neck": {"type": "HalfANeck"}}, "model.neck: HalfANeck lacks text, which every neck has"),
        (
            {"model.tokenizer": {"type": "Nameless"}},
            "model.tokenizer: Nameless lacks words, which every tokenizer has",
        ),
        (
            {"model.losses.own": {"type": "NoModule"}},
            "model.losses.own: NoModule is no torch.nn.Module, which every loss is",
        ),
        (
            {"model.losses.own": {"type": "NoForward"}},
            "model.losses.own: NoForward lacks forward, which every loss has",
        ),
        ({"model.heads.own": {"type": "NoForward"}}, "model.heads.own: NoForward lacks forward, which every head has"),
        (
            {"model.losses.own": {"type": "Needy"}},
            "model.image_encoder: VisionTransformerEncoder lacks attention, which Needy (model.losses.own) needs; take"
            " another tower, or leave it out (model.losses.own=None)",
        ),
        (
            {"model.losses.own": {"type": "NeedyInOneWord"}},
            "model.losses.own: needs_of_image_tower of NeedyInOneWord must be a tuple of names, got 'grid_size'",
        ),
        (
            {"model.image_encoder": {"type": "Square"}},
            "model.image_encoder: image_size of Square must be (height, width) in pixels, got 8",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_what_a_component_lacks_is_told_at_building(
    tiny_zoo: Path, registered: None, overrides: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        tipr_zoo.build("a_tiny_model", overrides=overrides)
    assert str(raised.value) == f"{told}; {PAGE}"


def test_the_text_tower_is_asked_for_what_a_loss_needs_of_it(tiny_zoo: Path, registered: None) -> None:
    needs = Needy.needs_of_image_tower
    Needy.needs_of_image_tower = ("grid_size", "stride")
    try:
        with pytest.raises(ConfigError, match=r"^model\.text_encoder: CLIPTextEncoder lacks attention, which Needy"):
            tipr_zoo.build("a_tiny_model", overrides={"model.losses.own": {"type": "Needy"}})
    finally:
        Needy.needs_of_image_tower = needs


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            {"sampler": {"type": "OneEpoch"}},
            "training.sampler: OneEpoch lacks set_epoch, __len__, which every pair sampler",
        ),
        (
            {"caption_augmentation": {"type": "NoCall"}},
            "training.caption_augmentation: NoCall lacks __call__, which every caption augmentation",
        ),
    ],
)
def test_what_training_lacks_is_told_before_it_begins(
    tiny_model: DualEncoder,
    splits: tuple[PersonDataset, PersonDataset],
    registered: None,
    entry: dict[str, Any],
    told: str,
) -> None:
    with pytest.raises(ConfigError) as raised:
        training_loader({"batch_size": 2, "num_workers": 0, **entry}, tiny_model, splits[0])
    assert str(raised.value) == f"{told} has; {PAGE}"


@pytest.mark.parametrize(
    ("name", "told"),
    [("NoSpecification", "lacks specification"), ("NoCall", "is no subclass of PersonDataset")],
)
def test_a_data_set_that_is_none(synthpedes: Path, registered: None, name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"^data set '{name}' {told}; {PAGE}"):
        open_dataset(synthpedes, name)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            {"model.text_encoder.embedding_size": 32},
            "model.text_encoder: CLIPTextEncoder has embeddings of size 32, model.image_encoder:"
            " VisionTransformerEncoder has such of size 128; they must be of one size",
        ),
        ({"model.neck.embedding_size": 64}, "model.neck: BNNeck has embeddings of size 64"),
        ({"model.heads.id.embedding_size": 64}, "model.heads.id: IdentityClassification has embeddings of size 64"),
        (
            {"model.heads.irr.vocabulary_size": 10},
            "model.heads.irr knows 10 token ids, the tokenizer has 800",
        ),
        (
            {"model.text_encoder.context_length": 5},
            "model.text_encoder takes 5 token ids a caption",
        ),
        ({"model.text_encoder.num_heads": 5}, "model.text_encoder: width 96 is no multiple of num_heads 5"),
        ({"model.image_encoder.num_heads": 3}, "model.image_encoder: width 128 is no multiple of num_heads 3"),
        ({"model.heads.irr.depth": 0}, "model.heads.irr: depth and vocabulary_size must be above 0"),
    ],
)
def test_sizes_that_do_not_fit_each_other_are_told_when_a_model_is_built(overrides: dict[str, int], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        tipr_zoo.build("irra_tiny_synth", overrides=overrides)
    assert told in str(raised.value)
