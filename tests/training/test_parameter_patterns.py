"""Rates, decay and freezing by patterns of names, and by layers."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import tipr_zoo
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, TiprZooError, UnknownNameError
from tipr_zoo.training.loop.optimiser import build_optimiser
from tipr_zoo.training.loop.parameter_groups import freeze_parameters, layer_factors, parameter_groups
from tipr_zoo.training.train import train

TINY = "a_tiny_model"

Splits = tuple[PersonDataset, PersonDataset]

NECK = {"pattern": "heads.irr.*", "rate": 10.0, "weight_decay": 0.0}
TEXT = {"pattern": "text_encoder.*", "frozen": True}


def groups_of(model: DualEncoder, *patterns: dict[str, Any], **multipliers: float) -> dict[str, dict[str, Any]]:
    return {group["name"]: group for group in parameter_groups(model, 0.1, 0.04, multipliers, patterns)}


def test_a_pattern_sets_the_rate_and_the_decay_of_what_it_matches_and_of_nothing_else(tiny_model: DualEncoder) -> None:
    groups = groups_of(tiny_model, {"pattern": "*.mlp.fc1.*", "rate": 3.0}, {"pattern": "*.norm?.*", "weight_decay": 0})
    assert len(groups) == len(list(tiny_model.parameters()))
    for name, group in groups.items():
        assert group["lr"] == group["initial_lr"] == (pytest.approx(0.3) if ".mlp.fc1." in name else 0.1), name
        assert group["weight_decay"] == (0 if ".norm1." in name or ".norm2." in name else 0.04), name
    assert any(".mlp.fc1." in name for name in groups)
    assert any(".norm1." in name for name in groups)


def test_a_pattern_counts_before_the_rules(tiny_model: DualEncoder) -> None:
    groups = groups_of(tiny_model, {"pattern": "heads.id.classifier.bias", "rate": 7.0}, bias=2.0, classifier=5.0)
    assert groups["heads.id.classifier.bias"]["lr"] == pytest.approx(0.7)
    assert groups["heads.id.classifier.bias"]["weight_decay"] == 0
    assert groups["heads.id.classifier.weight"]["lr"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("patterns", "told"),
    [
        (
            [{"pattern": "image_encodr.*", "rate": 2}],
            "unknown parameter (training.parameter_patterns) 'image_encodr.*'",
        ),
        ([{"pattern": "image_encodr.*", "rate": 2}], "did you mean 'image_encoder.*'"),
        ([{"pattern": "*.attn.qkvs.weight", "frozen": True}], "'*.attn.qkv.weight'"),
        ([{"pattern": "heads.irr.weigth", "rate": 2}], "the parameters' names begin with heads, image_encoder"),
        (
            [{"pattern": "image_encoder.*", "rate": 2}, {"pattern": "*.attn.qkv.weight", "weight_decay": 0}],
            "'image_encoder.*' and '*.attn.qkv.weight' both match image_encoder.trunk.blocks.0.attn.qkv.weight",
        ),
        ([{"pattern": "heads.irr.*"}], "'heads.irr.*' changes nothing; give it a rate, a weight_decay or frozen=True"),
        ([{"pattern": "heads.irr.*", "frozen": True, "rate": 2}], "'heads.irr.*' is frozen, so it has no rate"),
        ([{"pattern": "*", "frozen": True}], "freezes every parameter ('*'), so there is nothing to train"),
        ([{"pattern": "*", "rate": 0}], "give every parameter the rate 0, so there is nothing to train"),
        ("heads.irr.*", "training.parameter_patterns must be a list of dicts"),
        ({"pattern": "heads.irr.*"}, "training.parameter_patterns must be a list of dicts"),
        (["heads.irr.*"], "training.parameter_patterns must be a list of dicts"),
        ([{"rate": 2}], "training.parameter_patterns[0].pattern must be a pattern of names"),
        ([{"pattern": 5}], "training.parameter_patterns[0].pattern must be a pattern of names"),
        ([{"pattern": "heads.irr.*", "rate": "high"}], "training.parameter_patterns[0].rate must be a number from 0"),
        ([{"pattern": "heads.irr.*", "rate": -1}], "training.parameter_patterns[0].rate must be a number from 0"),
        ([NECK, {"pattern": "n", "weight_decay": True}], "parameter_patterns[1].weight_decay must be a number from 0"),
        ([{"pattern": "heads.irr.*", "frozen": "yes"}], "training.parameter_patterns[0].frozen must be True or False"),
        (
            [NECK, {"pattern": "heads.irr.*", "rat": 2}],
            "unknown entry of training.parameter_patterns[1] 'rat'; did you mean 'rate'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_pattern_is_told_in_one_line(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, patterns: Any, told: str
) -> None:
    with pytest.raises(TiprZooError) as raised:
        train(TINY, *splits, tmp_path, overrides={"training.parameter_patterns": patterns})
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.rglob("*.pth"))


def test_a_pattern_of_what_does_not_learn_anyway_is_told(tiny_model: DualEncoder) -> None:
    tiny_model.text_encoder.requires_grad_(False)
    with pytest.raises(ConfigError, match=r"'text_encoder\.\*' matches only parameters that do not learn"):
        freeze_parameters(tiny_model, [{"pattern": "text_encoder.*", "rate": 2.0}])
    freeze_parameters(tiny_model, [TEXT])


def test_what_is_frozen_stays_and_all_else_learns(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    start = tiny_zoo / "tiny.safetensors"
    overrides = {"training.parameter_patterns": [TEXT, NECK], "training.max_epochs": 1}
    result = train(TINY, *splits, tmp_path, weights=start, overrides=overrides)
    before, after = safetensors.torch.load_file(start), safetensors.torch.load_file(result.weights)
    learnable = {name for name, _ in tipr_zoo.build(TINY).named_parameters() if not name.startswith("heads.id.")}
    changed = {name for name in learnable if not before[name].equal(after[name])}
    assert changed == {name for name in learnable if not name.startswith("text_encoder.")}


def test_a_resumed_run_lets_the_same_parameters_learn(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    overrides = {"training.parameter_patterns": [TEXT], "training.layer_decay": 0.5}
    straight = train(TINY, *splits, tmp_path / "straight", overrides=overrides)
    train(TINY, *splits, tmp_path / "run", overrides=overrides, max_minutes=0)
    with pytest.raises(ConfigError, match=r"other parameters learn: text_encoder\..* was frozen, and learns now"):
        train(TINY, *splits, tmp_path / "run", resume=True)
    with pytest.raises(ConfigError, match=r"other parameters learn: heads\.irr\..* learnt before, and is frozen"):
        train(
            TINY,
            *splits,
            tmp_path / "run",
            resume=True,
            overrides={"training.parameter_patterns": [TEXT, {"pattern": "heads.irr.*", "frozen": True}]},
        )
    resumed = train(TINY, *splits, tmp_path / "run", overrides=overrides, resume=True)
    assert resumed.weights.read_bytes() == straight.weights.read_bytes()


def test_patterns_name_layers_with_adapters_as_without(tiny_model: DualEncoder) -> None:
    pytest.importorskip("peft")
    from tipr_zoo.training.adapters import Adapters, add_adapters

    add_adapters(tiny_model, Adapters(targets=("attn.qkv",), train_base=True))
    groups = groups_of(
        tiny_model, {"pattern": "*.attn.qkv.weight", "rate": 2.0}, {"pattern": "*.lora_?.*", "rate": 5.0}
    )
    rates = {name: group["lr"] for name, group in groups.items() if ".attn.qkv." in name and "image_encoder" in name}
    assert rates == {
        "image_encoder.trunk.blocks.0.attn.qkv.base_layer.weight": pytest.approx(0.2),
        "image_encoder.trunk.blocks.0.attn.qkv.base_layer.bias": 0.1,
        "image_encoder.trunk.blocks.0.attn.qkv.lora_A.default.weight": pytest.approx(0.5),
        "image_encoder.trunk.blocks.0.attn.qkv.lora_B.default.weight": pytest.approx(0.5),
    }


# By layers


@pytest.fixture(scope="module")
def deep(tiny_zoo: Path) -> DualEncoder:
    """Three blocks of pictures, two of captions."""
    logging.getLogger("tipr_zoo").setLevel(logging.ERROR)
    try:
        return tipr_zoo.build(TINY, overrides={"model.image_encoder.depth": 3, "model.text_encoder.depth": 2})
    finally:
        logging.getLogger("tipr_zoo").setLevel(logging.NOTSET)


def test_each_block_has_a_share_of_the_rate_of_the_one_after_it(deep: DualEncoder) -> None:
    groups = {group["name"]: group["lr"] for group in parameter_groups(deep, 1.0, 0.0, {}, (), layer_decay=0.5)}
    image, text = "image_encoder.trunk.", "text_encoder.trunk."
    for name, rate in groups.items():
        expected = {
            f"{image}blocks.0.": 1 / 8, f"{image}blocks.1.": 1 / 4, f"{image}blocks.2.": 1 / 2,
            f"{image}norm.": 1, f"{image}head.": 1, f"{image}": 1 / 16,
            f"{text}text_model.encoder.layers.0.": 1 / 4, f"{text}text_model.encoder.layers.1.": 1 / 2,
            f"{text}text_model.embeddings.": 1 / 8, f"{text}": 1, "": 1,
        }  # fmt: skip
        assert rate == next(share for start, share in expected.items() if name.startswith(start)), name


@pytest.mark.parametrize(
    ("tower", "blocks", "first", "last"),
    [
        ({"type": "TimmEncoder", "model_name": "convnext_atto", "image_size": (64, 32)}, 4, "trunk.stem.0.weight", 1),
        ({"type": "TimmEncoder", "model_name": "resnet18", "image_size": (64, 32)}, 4, "trunk.conv1.weight", 1),
        ({"type": "ModifiedResNetEncoder", "model_name": "resnet50_clip", "width": 8, "depths": (1, 1, 1, 1),
          "image_size": (64, 32)}, 4, "trunk.stem.conv1.conv.weight", 1),
    ],
    ids=lambda value: value.get("model_name", "") if isinstance(value, dict) else "",
)  # fmt: skip
def test_every_image_tower_of_the_core_says_its_blocks(
    tower: dict[str, Any], blocks: int, first: str, last: int, deep: DualEncoder
) -> None:
    from tipr_zoo.registries import BACKBONES

    image_encoder = BACKBONES.build({**tower, "embedding_size": 64})
    factors = layer_factors(
        torch.nn.ModuleDict({"image_encoder": image_encoder, "text_encoder": deep.text_encoder}), 0.5
    )
    own = {name: factor for name, factor in factors.items() if name.startswith("image_encoder.")}
    assert len(own) == len(list(image_encoder.parameters()))
    assert own[f"image_encoder.{first}"] == 0.5 ** (blocks + 1)
    assert list(own.values())[-1] == last
    assert set(own.values()) == {0.5**power for power in range(blocks + 2)}


def test_bert_says_its_blocks(deep: DualEncoder) -> None:
    from tipr_zoo.backbones import BertTextEncoder

    tower = BertTextEncoder(64, vocabulary_size=100, width=32, depth=2, num_heads=2)
    factors = layer_factors(torch.nn.ModuleDict({"image_encoder": deep.image_encoder, "text_encoder": tower}), 0.5)
    assert factors["text_encoder.trunk.embeddings.word_embeddings.weight"] == 1 / 8
    assert factors["text_encoder.trunk.encoder.layer.1.output.dense.weight"] == 1 / 2
    assert factors["text_encoder.text_projection.weight"] == 1


def test_a_tower_that_does_not_say_its_blocks_is_told(deep: DualEncoder) -> None:
    model = torch.nn.ModuleDict({"image_encoder": torch.nn.Linear(2, 2), "text_encoder": deep.text_encoder})
    with pytest.raises(ConfigError, match=r"training\.layer_decay .*Linear \(image_encoder\) does not say them by"):
        layer_factors(model, 0.5)
    with pytest.raises(ConfigError, match=r"training\.layer_decay needs a model with image_encoder and text_encoder"):
        layer_factors(torch.nn.Linear(2, 2), 0.5)


@pytest.mark.parametrize("decay", [0, 1.5, "x", True, float("nan")])
def test_a_decay_by_layers_that_makes_no_sense_is_told(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, decay: Any
) -> None:
    with pytest.raises(ConfigError, match=r"training\.layer_decay must be a number above 0"):
        train(TINY, *splits, tmp_path, overrides={"training.layer_decay": decay})


def test_an_unknown_rule_is_still_told(tiny_model: DualEncoder) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown rule of training\.parameter_groups 'biass'"):
        build_optimiser(tiny_model, {"type": "SGD", "lr": 0.1}, {"biass": 2.0})
