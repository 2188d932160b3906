"""A training of RaSa: the same bits after a stop, queues and momentum copy in checkpoints alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import TiprZooError
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.training.train import train

NAME = "rasa_tiny_synth"
SMALL: dict[str, Any] = {
    "training.batch_size": 8,
    "training.max_epochs": 2,
    "training.validate_every": 2,
    "training.weights_dtype": "float32",
    "model.heads.cl.queue_size": 20,
    "model.text_encoder.dropout": 0.1,
    "model.weak_probability": 0.5,
}


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[PersonDataset, PersonDataset]:
    """Six people with two pictures each to learn from, and two to choose by."""
    folder = tmp_path_factory.mktemp("data") / "synthpedes"
    draw_synthpedes(folder, train=6, val=2, test=2, pictures=2, splits=("train", "val"), workers=1)
    return open_dataset(str(folder), split="train"), open_dataset(str(folder), split="val")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "cache"))


def test_a_run_that_was_stopped_ends_with_the_same_bits(splits: Any, tmp_path: Path) -> None:
    straight = train(NAME, *splits, tmp_path / "straight", overrides=SMALL)
    train(NAME, *splits, tmp_path / "stopped", overrides=SMALL, max_minutes=0)
    torch.manual_seed(99)
    train(NAME, *splits, tmp_path / "stopped", overrides=SMALL, resume=True)
    one, other = (
        torch.load(tmp_path / run / "epoch_2.pth", weights_only=True)["state_dict"] for run in ("straight", "stopped")
    )
    queue = next(value for name, value in one.items() if name.endswith("heads.cl.idx_queue"))
    assert (queue >= 0).all()
    assert any(".momentum.text_encoder." in f".{name}" for name in one)
    assert one.keys() == other.keys()
    assert all(torch.equal(other[name], value) for name, value in one.items())
    kept = safetensors.torch.load_file(straight.weights)
    assert not [name for name in kept if name.startswith(("momentum.", "heads.cl."))]
    model = tipr_zoo.build(NAME, weights=straight.weights)
    assert torch.equal(model.matching_head.weight, kept["matching_head.weight"])
    told = tipr_zoo.build(NAME, weights=tmp_path / "straight" / "epoch_2.pth")
    assert torch.equal(told.temperature, model.temperature)


def test_the_soft_label_ratio_rises_in_the_first_epoch(
    splits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tipr_zoo_rasa import momentum_contrast

    seen, ratio_of = [], momentum_contrast.soft_label_ratio

    def noted(batch: Any, retriever: Any) -> Any:
        ratio = ratio_of(batch, retriever)
        seen.append(float(ratio.mean()))
        return ratio

    monkeypatch.setattr(momentum_contrast, "soft_label_ratio", noted)
    train(NAME, splits[0], None, tmp_path, overrides=SMALL)
    assert seen == pytest.approx([0.0, 0.4 / 3, 0.8 / 3, 0.4, 0.4, 0.4])  # 24 pairs are 3 steps an epoch
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert {"loss_cl", "loss_pitm", "loss_mlm", "loss_prd", "loss_mrtd"} <= set(rows[0])


def test_a_recipe_without_the_second_view_is_told(splits: Any, tmp_path: Path) -> None:
    with pytest.raises(TiprZooError, match=r"RaSa: 'images_m'.*training\.views=dict\(images_m=dict"):
        train(NAME, splits[0], None, tmp_path, overrides={**SMALL, "training.views": {}})


@pytest.mark.parametrize("name", ["cuhk", "icfg", "rstp"])
def test_the_recipes_say_what_the_published_configurations_say(name: str) -> None:
    recipe = load_recipe(tipr_zoo.load_card(f"rasa_vitb16_{name}"))
    training, model = recipe.training, recipe.model
    assert (training.batch_size, training.max_epochs) == (52, 30)
    assert (training.optimizer.lr, training.optimizer.weight_decay) == (1e-5, 0.02)
    assert tuple(model.image_encoder.image_size) == (384, 384)
    assert (model.embedding_size, model.momentum, model.soft_label_ratio) == (256, 0.995, 0.4)
    assert {key: model.heads[key].get("weight", 1.0) for key in model.heads} == {
        "cl": 0.5, "pitm": 1.0, "mlm": 1.0, "prd": 0.5, "mrtd": 0.5,
    }  # fmt: skip
    assert recipe.evaluation.rerank == 128
