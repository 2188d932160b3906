"""Moving averages of the weights: what they are, that they are validated and kept, and that they resume."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import tipr_zoo
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError, TiprZooError, TrainingInterrupted, WeightsError
from tipr_zoo.evaluation.embedding import evaluate
from tipr_zoo.registries import LOSSES
from tipr_zoo.training.loop import moving_average
from tipr_zoo.training.loop.moving_average import MovingAverageHook
from tipr_zoo.training.train import TrainingResult, train
from tipr_zoo.weights.header import read_metadata

TINY = "a_tiny_model"

Splits = tuple[PersonDataset, PersonDataset]

EMA = {"training.ema": {"decay": 0.5}}


def checkpoint(work_dir: Path, epoch: int = 2) -> dict[str, Any]:
    return torch.load(work_dir / f"epoch_{epoch}.pth", weights_only=True)


def history(work_dir: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (work_dir / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def plain(tiny_zoo: Path, splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of two epochs without averages."""
    work_dir = tmp_path_factory.mktemp("plain")
    train(TINY, *splits, work_dir)
    return work_dir


@pytest.fixture(scope="module")
def averaged(tiny_zoo: Path, splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, Path]:
    """The same with averages."""
    work_dir = tmp_path_factory.mktemp("averaged")
    return train(TINY, *splits, work_dir, overrides=EMA), work_dir


class Seen:
    """Notes the parameters after each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[dict[str, Tensor]] = []
        self.hooks: list[MovingAverageHook] = []
        follow = MovingAverageHook.follow

        def noted(hook: MovingAverageHook) -> None:
            self.hooks.append(hook)
            now = zip(hook.names, hook._parameters, strict=True)
            self.steps.append({name: each.detach().clone() for name, each in now})
            follow(hook)

        monkeypatch.setattr(moving_average.MovingAverageHook, "follow", noted)


@pytest.mark.parametrize(("warmup", "every"), [(False, 1), (True, 1), (True, 2)])
@pytest.mark.parametrize(
    ("more", "changes"),
    [
        ({}, 6),
        ({"training.batch_size": 4, "training.accumulate_steps": 4}, 4),
        ({"training.precision": "float16", "training.optimizer.lr": 0.0}, 0),
    ],
    ids=["every step", "accumulated", "left out"],
)
def test_averages_follow_every_change_of_the_parameters_and_nothing_else(
    tiny_zoo: Path,
    splits: Splits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, Any],
    changes: int,
    warmup: bool,
    every: int,
) -> None:
    seen = Seen(monkeypatch)
    overrides = {"training.ema": {"decay": 0.7, "warmup": warmup, "every": every}, **more}
    train(TINY, *splits, tmp_path, weights=tiny_zoo / "tiny.safetensors", overrides=overrides)
    kept = checkpoint(tmp_path)["moving_average"]
    assert kept["changes"] == len(seen.steps) <= 6
    if "training.precision" not in more:
        assert kept["changes"] == changes
    name = "image_encoder.trunk.blocks.0.attn.qkv.weight"
    expected = tipr_zoo.build(TINY, weights=tiny_zoo / "tiny.safetensors").state_dict()[name].double()
    for number, step in enumerate(seen.steps, 1):
        decay = min(0.7, (1 + number) / (10 + number)) if warmup else 0.7
        if number % every == 0:
            expected = decay**every * expected + (1 - decay**every) * step[name].double()
    torch.testing.assert_close(kept["averages"][name].double(), expected, atol=1e-6, rtol=1e-6)


def test_the_model_learns_as_it_would_without(averaged: tuple[TrainingResult, Path], plain: Path) -> None:
    one, other = checkpoint(averaged[1]), checkpoint(plain)
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())
    assert [row for row in history(averaged[1]) if "loss" in row] == [row for row in history(plain) if "loss" in row]
    assert "moving_average" not in other


def test_the_averages_are_what_is_validated_and_kept(
    averaged: tuple[TrainingResult, Path], splits: Splits, caplog: pytest.LogCaptureFixture
) -> None:
    result, work_dir = averaged
    kept = safetensors.torch.load_file(result.weights)
    entries = checkpoint(work_dir, result.selected_epoch)
    learning = {name for name, _ in tipr_zoo.build(TINY).named_parameters()}
    assert entries["moving_average"]["averages"].keys() == learning
    for name, value in entries["state_dict"].items():
        if name in learning:
            assert torch.equal(kept[name], entries["moving_average"]["averages"][name]), name
            assert not torch.equal(kept[name], value), name
        else:
            assert torch.equal(kept[name], value), name  # statistics of normalisations are the model's own
    figures = evaluate(tipr_zoo.build(TINY, weights=result.weights), splits[1])
    assert {key: round(value, 3) for key, value in figures.items()} == result.validation
    assert read_metadata(result.weights)["moving_average"] == "decay 0.5"


def test_the_log_says_that_averages_are_kept(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(TINY, *splits, tmp_path, overrides=EMA, max_minutes=0)
    assert "moving averages of the weights (training.ema, decay 0.5) are what is validated and kept" in caplog.text


def test_without_validation_the_averages_of_the_last_epoch_are_kept(
    tiny_zoo: Path, splits: Splits, tmp_path: Path
) -> None:
    result = train(TINY, splits[0], None, tmp_path, overrides=EMA)
    kept, averages = safetensors.torch.load_file(result.weights), checkpoint(tmp_path)["moving_average"]["averages"]
    assert result.selected_on == "none"
    assert all(torch.equal(kept[name], value) for name, value in averages.items())


def test_a_checkpoint_read_as_weights_is_the_model_that_learns(averaged: tuple[TrainingResult, Path]) -> None:
    entries = checkpoint(averaged[1])
    read = tipr_zoo.build(TINY, weights=averaged[1] / "epoch_2.pth").state_dict()
    names = entries["moving_average"]["averages"].keys() & read.keys()
    assert all(torch.equal(read[name], entries["state_dict"][name]) for name in names if "heads.id." not in name)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"training.ema": {"decay": 0.9, "warmup": True, "every": 2}},
        {"training.precision": "float16"},
        {"training.batch_size": 4, "training.accumulate_steps": 4},
        {"training.parameter_patterns": [{"pattern": "text_encoder.*", "frozen": True}], "training.layer_decay": 0.7},
        {"training.gradient_checkpointing": True, "training.optimizer": {"type": "lion", "lr": 1e-4}},
        {"training.adapters": {"r": 2, "targets": ["attn.qkv", "q_proj"]}},
    ],
    ids=lambda more: next(iter(more), "plain"),
)
def test_a_resumed_training_ends_with_the_same_bits(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, more: dict[str, Any]
) -> None:
    if "training.adapters" in more:
        pytest.importorskip("peft")
    overrides = {**EMA, **more}
    straight = train(TINY, *splits, tmp_path / "straight", overrides=overrides)
    train(TINY, *splits, tmp_path / "run", overrides=overrides, max_minutes=0)
    resumed = train(TINY, *splits, tmp_path / "run", overrides=overrides, resume=True)
    assert resumed.weights.read_bytes() == straight.weights.read_bytes()
    assert history(tmp_path / "run") == history(tmp_path / "straight")
    one, other = (checkpoint(tmp_path / name) for name in ("straight", "run"))
    assert one["moving_average"]["changes"] == other["moving_average"]["changes"]
    for part in (lambda entries: entries["state_dict"], lambda entries: entries["moving_average"]["averages"]):
        assert all(torch.equal(value, part(other)[name]) for name, value in part(one).items())


def test_a_training_that_was_stopped_within_an_epoch_ends_with_the_same_bits(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train(TINY, *splits, tmp_path / "straight", overrides=EMA)
    follow = MovingAverageHook.follow

    def followed_and_stopped(hook: MovingAverageHook) -> None:
        follow(hook)
        if hook.changes == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(MovingAverageHook, "follow", followed_and_stopped)
        with pytest.raises(TrainingInterrupted):
            train(TINY, *splits, tmp_path / "run", overrides=EMA)
    assert torch.load(tmp_path / "run" / "epoch_1_step_1.pth", weights_only=True)["moving_average"]["changes"] == 4
    resumed = train(TINY, *splits, tmp_path / "run", overrides=EMA, resume=True)
    assert resumed.weights.read_bytes() == straight.weights.read_bytes()


def test_adapters_are_averaged_before_they_are_merged(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    overrides = {**EMA, "training.adapters": {"r": 2, "targets": ["attn.qkv"]}}
    result = train(TINY, *splits, tmp_path, overrides=overrides, weights=tiny_zoo / "tiny.safetensors")
    averages = checkpoint(tmp_path, result.selected_epoch)["moving_average"]["averages"]
    layer = "image_encoder.trunk.blocks.0.attn.qkv"
    assert f"{layer}.base_layer.weight" not in averages
    change = averages[f"{layer}.lora_B.default.weight"] @ averages[f"{layer}.lora_A.default.weight"]
    base = safetensors.torch.load_file(tiny_zoo / "tiny.safetensors")[f"{layer}.weight"]
    merged = safetensors.torch.load_file(result.weights)[f"{layer}.weight"]
    torch.testing.assert_close(merged, base + change, atol=1e-6, rtol=1e-5)
    assert change.abs().max() > 0


class TaughtByItsBeginning(nn.Module):
    """A loss with a frozen teacher and a projection that learns."""

    needs_patch_tokens = False

    def setup(self, retriever: Any) -> None:
        self.teacher = nn.Linear(64, 64).requires_grad_(False)
        self.projection = nn.Linear(64, 64)

    def forward(self, features: Any, batch: Any) -> Tensor:
        return (self.projection(features.image_embedding) - self.teacher(features.image_embedding)).square().mean()


def test_what_a_setup_adds_is_averaged_where_it_learns_and_left_out_of_the_weights(
    tiny_zoo: Path, splits: Splits, tmp_path: Path
) -> None:
    LOSSES.register_module("TaughtByItsBeginning", force=True)(TaughtByItsBeginning)
    overrides = {**EMA, "model.losses.taught": {"type": "TaughtByItsBeginning"}}
    straight = train(TINY, *splits, tmp_path / "straight", overrides=overrides)
    averages = checkpoint(tmp_path / "straight")["moving_average"]["averages"]
    assert {name for name in averages if "taught" in name} == {
        "losses.taught.projection.weight",
        "losses.taught.projection.bias",
    }
    assert not [name for name in safetensors.torch.load_file(straight.weights) if "taught" in name]
    train(TINY, *splits, tmp_path / "run", overrides=overrides, max_minutes=0)
    resumed = train(TINY, *splits, tmp_path / "run", overrides=overrides, resume=True)
    assert resumed.weights.read_bytes() == straight.weights.read_bytes()


# What is refused


def test_averages_cannot_begin_or_end_at_a_resume(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    train(TINY, *splits, tmp_path / "plain", max_minutes=0)
    with pytest.raises(ConfigError, match=r"epoch_1\.pth was written without moving averages.*leave out training\.ema"):
        train(TINY, *splits, tmp_path / "plain", resume=True, overrides=EMA)
    train(TINY, *splits, tmp_path / "averaged", overrides=EMA, max_minutes=0)
    with pytest.raises(
        ConfigError, match=r"epoch_1\.pth was written with moving averages.*pass training\.ema as before"
    ):
        train(TINY, *splits, tmp_path / "averaged", resume=True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda entries: entries.update(moving_average=5),
        lambda entries: entries["moving_average"].pop("averages"),
        lambda entries: entries["moving_average"].update(changes=-1),
        lambda entries: entries["moving_average"]["averages"].popitem(),
        lambda entries: entries["moving_average"]["averages"].update({"image_encoder.trunk.cls_token": torch.zeros(3)}),
    ],
)
def test_averages_that_are_damaged_are_told(tiny_zoo: Path, splits: Splits, tmp_path: Path, damage: Any) -> None:
    train(TINY, *splits, tmp_path, overrides=EMA, max_minutes=0)
    entries = checkpoint(tmp_path, 1)
    damage(entries)
    torch.save(entries, tmp_path / "epoch_1.pth")
    with pytest.raises(WeightsError, match=r"the checkpoint's moving averages"):
        train(TINY, *splits, tmp_path, resume=True, overrides=EMA)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (5, "training.ema must be a dict, got 5"),
        (True, "training.ema must be a dict, got True"),
        ("0.999", "training.ema must be a dict, got '0.999'"),
        ({"decay": 1}, "training.ema.decay must be a number above 0 and below 1, e.g. 0.999, got 1"),
        ({"decay": 0}, "training.ema.decay must be like 0.999, got 0"),
        ({"decay": "x"}, "training.ema.decay must be like 0.999, got 'x'"),
        ({"decay": True}, "training.ema.decay must be like 0.999, got True"),
        ({"decay": float("nan")}, "training.ema.decay must be like 0.999, got nan"),
        ({"decays": 0.9}, "unknown entry of training.ema 'decays'; did you mean 'decay'"),
        ({"warmup": 3}, "training.ema.warmup must be like False, got 3"),
        ({"every": 0}, "training.ema.every must be like 1, got 0"),
        ({"every": 1.5}, "training.ema.every must be like 1, got 1.5"),
    ],
    ids=lambda value: f"{value}"[:20],
)
def test_an_entry_that_makes_no_sense_is_told(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, value: Any, told: str
) -> None:
    with pytest.raises(TiprZooError) as raised:
        train(TINY, *splits, tmp_path, overrides={"training.ema": value})
    assert told in str(raised.value)
    assert not list(tmp_path.rglob("*.pth"))
