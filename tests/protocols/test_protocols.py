"""Protocols: the zoo's own components have what is promised, and what has not is seen on every version of Python."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import tipr_zoo
from tipr_zoo import protocols
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.protocols import MaskableImageTower, PatchImageTower, missing_names, promised_names
from tipr_zoo.registries import HEADS
from tipr_zoo.training import caption_augmentation, training_pairs


def test_a_model_and_its_parts_have_what_is_promised(
    tiny_model: DualEncoder, splits: tuple[PersonDataset, PersonDataset]
) -> None:
    parts: list[tuple[object, type]] = [
        (tiny_model, protocols.Retriever),
        (tiny_model, protocols.TwoTowerRetriever),
        (tiny_model.image_encoder, protocols.ImageTower),
        (tiny_model.image_encoder, PatchImageTower),
        (tiny_model.image_encoder, MaskableImageTower),
        (tiny_model.text_encoder, protocols.TextTower),
        (tiny_model.neck, protocols.Neck),
        (tiny_model.tokenize, protocols.Tokenizer),
        (tiny_model.losses["sdm"], protocols.Loss),
        (tiny_model.heads["irr"], protocols.Head),
        (splits[0], protocols.DataSet),
        (training_pairs.ShuffledPairs(None, 0, 1), protocols.PairSampler),  # type: ignore[arg-type]
        (caption_augmentation.WholeCaptions([]), protocols.CaptionAugmentation),
    ]
    for part, protocol in parts:
        assert missing_names(part, protocol) == []
        assert isinstance(part, protocol)
    assert not isinstance(tiny_model.heads["irr"], protocols.RestoringHead)
    assert missing_names(tiny_model.heads["irr"], protocols.RestoringHead) == ["restore_pictures"]


def test_sens_head_restores_and_says_what_it_needs() -> None:
    import_plugin("sen")
    head = HEADS.build({"type": "TextGuidedRestoration", "embedding_size": 64, "depth": 1})
    assert isinstance(head, protocols.RestoringHead)
    besides = set(promised_names(MaskableImageTower)) - set(promised_names(protocols.ImageTower))
    assert set(head.needs_of_image_tower) == besides


def test_submodules_count_as_what_is_promised() -> None:
    # From Python 3.12 on typing's own check does not see what a module gives by __getattr__.
    class Neck(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image = nn.Identity()

        def forward(self, image: Any, text: Any) -> Any:
            return image, text

    neck = Neck()
    assert not isinstance(neck, protocols.Neck)
    assert missing_names(neck, protocols.Neck) == ["text"]
    neck.text = nn.Identity()
    assert isinstance(neck, protocols.Neck)


def test_a_protocol_has_the_names_of_what_it_extends() -> None:
    assert promised_names(protocols.ImageTower) == ("image_size", "__call__")
    assert promised_names(PatchImageTower) == ("image_size", "__call__", "grid_size", "patch_size", "stride")


def test_an_own_class_may_inherit_from_a_protocol() -> None:
    class Order(protocols.PairSampler):
        def set_epoch(self, epoch: int) -> None:
            pass

        def __iter__(self) -> Iterator[tuple[int, int]]:
            return iter([])

        def __len__(self) -> int:
            return 0

    assert isinstance(Order(), Order)
    assert isinstance(Order(), protocols.PairSampler)
    assert not isinstance(training_pairs.ShuffledPairs(None, 0, 1), Order)  # type: ignore[arg-type]


def test_what_is_only_inherited_from_a_protocol_is_missing() -> None:
    class Forgetful(protocols.PairSampler):  # with contract 1.0, too, one could inherit a set_epoch that does nothing
        def __len__(self) -> int:
            return 0

    class TheWrongWayRound(PatchImageTower, nn.Module):  # a call of it would be the protocol's, which does nothing
        image_size, grid_size, patch_size, stride = (8, 8), (1, 1), 8, 8

        def forward(self, images: Any) -> Any:
            return images

    assert missing_names(Forgetful(), protocols.PairSampler) == ["__iter__"]
    assert missing_names(TheWrongWayRound(), PatchImageTower) == ["__call__"]


def test_what_is_none_is_missing(tiny_model: DualEncoder) -> None:
    tower = copy.copy(tiny_model.image_encoder)
    tower.stride = None  # type: ignore[misc, assignment]
    assert missing_names(tower, PatchImageTower) == ["stride"]


def test_a_module_may_have_a_forward_of_its_own_or_a_call() -> None:
    class Called(nn.Module):
        def __call__(self, *inputs: Any) -> Any:
            return inputs

    given = nn.Module()
    assert missing_names(given, protocols.Loss) == ["forward"]
    given.forward = lambda features, batch: features  # type: ignore[method-assign]
    assert missing_names(given, protocols.Loss) == []
    assert missing_names(Called(), protocols.Loss) == []


def test_each_is_declared_once() -> None:
    assert training_pairs.PairSampler is protocols.PairSampler
    assert caption_augmentation.CaptionAugmentation is protocols.CaptionAugmentation


@pytest.mark.parametrize("name", ["irra_tiny_synth", "sen_tiny_synth", "fmfa_tiny_synth"])
def test_models_that_ship_can_be_explained_and_restored(name: str, tmp_path: Path) -> None:
    tower = tipr_zoo.build(name).image_encoder
    assert isinstance(tower, MaskableImageTower)
