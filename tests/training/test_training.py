"""Training: what an epoch sees, what a run leaves behind, and that a run that was stopped ends as it would have."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError, DataError, TiprZooError, WeightsError
from tipr_zoo.evaluation.embedding import evaluate
from tipr_zoo.machine.code_version import code_version
from tipr_zoo.pictures.preprocessing import ImageNormalisation
from tipr_zoo.registries import TOKENIZERS
from tipr_zoo.tokenizers import CaptionTokenizer
from tipr_zoo.training.loop.optimiser import build_optimiser
from tipr_zoo.training.loop.schedule import Schedule
from tipr_zoo.training.pairs.augmentation import Augmentation
from tipr_zoo.training.pairs.caption_masking import mask_caption
from tipr_zoo.training.pairs.pairs import TrainingPairs, collate_trimmed_pairs
from tipr_zoo.training.train import TrainingResult, train
from tipr_zoo.training.training_pairs import ShuffledPairs
from tipr_zoo.weights.header import read_metadata
from tipr_zoo.weights.tensors import write_weights

TINY = "a_tiny_model"


@pytest.fixture(scope="module")
def straight(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainingResult, Path]:
    """Two epochs in one go."""
    work_dir = tmp_path_factory.mktemp("straight")
    return train(TINY, *splits, work_dir), work_dir


def history(work_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (work_dir / "history.jsonl").read_text().splitlines()]


# A run


def test_a_run_writes_its_losses_and_validation_by_epoch(straight: tuple[TrainingResult, Path]) -> None:
    rows = history(straight[1])
    assert [row["epoch"] for row in rows] == [1, 1, 2, 2]
    for row in rows[::2]:
        assert {"loss", "loss_sdm", "loss_id", "loss_irr", "seconds"} < set(row)
        parts = row["loss_sdm"] + row["loss_id"] + row["loss_irr"]
        assert row["loss"] == pytest.approx(parts, abs=1e-3)
    for row in rows[1::2]:
        assert set(row["validation"]) == {"R1", "R5", "R10", "mAP", "mINP"}


def test_the_weights_load_strictly_and_give_the_validation_figures_of_the_chosen_epoch(
    straight: tuple[TrainingResult, Path], splits: tuple[PersonDataset, PersonDataset]
) -> None:
    result, work_dir = straight
    model = tipr_zoo.build(TINY, weights=result.weights)
    assert result.weights == work_dir / f"{TINY}.safetensors"
    assert evaluate(model, splits[1]) == pytest.approx(result.validation, abs=1e-3)
    validations = {row["epoch"]: row["validation"] for row in history(work_dir) if "validation" in row}
    assert result.validation == validations[result.selected_epoch]
    assert result.validation["R1"] == max(row["R1"] for row in validations.values())


def test_every_checkpoint_is_a_weights_file(straight: tuple[TrainingResult, Path]) -> None:
    checkpoints = [path for path in straight[1].iterdir() if path.suffix in (".pth", ".safetensors")]
    assert {path.name for path in checkpoints} == {
        "epoch_1.pth",
        "epoch_2.pth",
        f"{TINY}.safetensors",
    }
    for path in checkpoints:
        tipr_zoo.build(TINY, weights=path)


def test_weights_can_be_stored_in_half_the_bytes(
    straight: tuple[TrainingResult, Path], splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    result = train(TINY, *splits, tmp_path, overrides={"training.weights_dtype": "float16"})
    stored, exact = (safetensors.torch.load_file(file) for file in (result.weights, straight[0].weights))
    assert {value.dtype for value in stored.values()} == {torch.float16, torch.int64}
    for name, value in exact.items():
        assert torch.equal(stored[name], value.half() if value.is_floating_point() else value)
    loaded = tipr_zoo.build(TINY, weights=result.weights).state_dict()
    assert all(value.dtype != torch.float16 for value in loaded.values())


def test_weights_are_used_whatever_identities_they_were_trained_on(
    straight: tuple[TrainingResult, Path], splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, caplog: Any
) -> None:
    overrides = {"model.heads.id.num_identities": 100}
    other = tipr_zoo.build(TINY, overrides=overrides)
    write_weights(other.state_dict(), tmp_path / "other.safetensors")
    assert tipr_zoo.build(TINY, weights=tmp_path / "other.safetensors").heads["id"].classifier.out_features == 100
    with pytest.raises(WeightsError, match=r"classifier.weight has shape \(6, 64\), the model \(100, 64\)"):
        tipr_zoo.build(TINY, weights=straight[0].weights, overrides=overrides)
    result = train(TINY, *splits, tmp_path / "work", weights=tmp_path / "other.safetensors")
    assert tipr_zoo.build(TINY, weights=result.weights).heads["id"].classifier.out_features == 6
    assert "its identity classifier is of other identities" in caplog.text


def test_training_from_nothing_is_told(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, caplog: Any
) -> None:
    train(TINY, *splits, tmp_path, overrides={"training.max_epochs": 1})
    assert "weights are random at the start" in caplog.text


def test_a_damaged_last_checkpoint_is_told_and_the_one_before_it_taken(
    straight: tuple[TrainingResult, Path], splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, caplog: Any
) -> None:
    work_dir = tmp_path / "copy"
    shutil.copytree(straight[1], work_dir)
    last = work_dir / "epoch_2.pth"
    last.write_bytes(last.read_bytes()[:-500])
    train(TINY, *splits, work_dir, resume=True)
    assert f"{last} cannot be read" in caplog.text
    one, other = (tipr_zoo.build(TINY, weights=folder / last.name).state_dict() for folder in (work_dir, straight[1]))
    assert [key for key in one if not torch.equal(one[key], other[key])] == []


def test_a_checkpoint_of_another_model_is_not_resumed(
    straight: tuple[TrainingResult, Path], splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    work_dir = tmp_path / "copy"
    shutil.copytree(straight[1], work_dir)
    with pytest.raises(ConfigError, match=r"epoch_2.pth is of another model or data set: .* differs"):
        train(TINY, *splits, work_dir, resume=True, overrides={"model.text_encoder.depth": 2})


def test_resuming_nothing_is_told(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, caplog: Any
) -> None:
    train(TINY, *splits, tmp_path, resume=True, overrides={"training.max_epochs": 1})
    assert f"{tmp_path} holds no checkpoint to go on from" in caplog.text


@pytest.mark.parametrize("moved", [False, True], ids=["in place", "moved"])
def test_a_run_that_was_stopped_and_resumed_ends_with_the_same_bits(
    straight: tuple[TrainingResult, Path], splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, moved: bool
) -> None:
    work_dir = tmp_path / "first"
    first = train(TINY, *splits, work_dir, max_minutes=0)
    assert first.selected_epoch == 1
    assert not (work_dir / "epoch_2.pth").exists()
    if moved:
        work_dir = work_dir.rename(tmp_path / "second")
    result = train(TINY, *splits, work_dir, resume=True)
    expected, expected_dir = straight
    for name in ("epoch_2.pth", result.weights.name):
        one, other = (tipr_zoo.build(TINY, weights=folder / name).state_dict() for folder in (work_dir, expected_dir))
        assert [key for key in one if not torch.equal(one[key], other[key])] == []
    assert (result.selected_epoch, result.validation) == (expected.selected_epoch, expected.validation)
    without_time = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in history(folder)]
        for folder in (work_dir, expected_dir)
    ]
    assert without_time[0] == without_time[1]


def test_a_finished_run_can_be_resumed_and_stays_as_it_is(
    straight: tuple[TrainingResult, Path], splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    work_dir = tmp_path / "copy"
    shutil.copytree(straight[1], work_dir)
    result = train(TINY, *splits, work_dir, resume=True)
    assert (result.selected_epoch, result.validation) == (straight[0].selected_epoch, straight[0].validation)
    assert result.weights.read_bytes() == straight[0].weights.read_bytes()


def test_a_run_that_is_out_of_time_validates_its_last_epoch(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    overrides = {"training.max_epochs": 5, "training.validate_every": 5}
    result = train(TINY, *splits, tmp_path, max_minutes=0, overrides=overrides)
    assert result.selected_epoch == 1
    assert result.validation


# Precision, accumulation, TensorBoard, and the split that an epoch is chosen on


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_run_in_half_precision_stays_near_the_one_in_float32(
    straight: tuple[TrainingResult, Path],
    splits: tuple[PersonDataset, PersonDataset],
    tmp_path: Path,
    precision: str,
) -> None:
    overrides = {"training.precision": precision}
    train(TINY, *splits, tmp_path, overrides=overrides, max_minutes=0)
    train(TINY, *splits, tmp_path, overrides=overrides, resume=True)
    losses, expected = (history(folder)[0] for folder in (tmp_path, straight[1]))
    assert losses["loss"] == pytest.approx(expected["loss"], rel=0.03)
    assert losses["loss"] != expected["loss"]
    checkpoint = torch.load(tmp_path / "epoch_2.pth", weights_only=True)
    assert ("loss_scaler" in checkpoint["optimizer"]) == (precision == "float16")
    assert {value.dtype for value in checkpoint["state_dict"].values()} == {torch.float32, torch.int64}


def test_in_float16_a_gradient_that_overflows_is_left_out_and_the_scale_lowered(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    from tipr_zoo.training.loop import optim_wrapper

    parameter = torch.nn.Parameter(torch.ones(2))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30)
    wrapper = optim_wrapper.TrainingOptimWrapper(torch.optim.SGD([parameter], lr=1.0), scaler=scaler)
    wrapper.start_epoch(0, 2)
    wrapper.update_params((parameter * 1e32).sum())
    assert (parameter.tolist(), scaler.get_scale()) == ([1.0, 1.0], 2.0**29)
    wrapper.update_params(parameter.sum())
    assert parameter.tolist() == [0.0, 0.0]


WITHOUT_BATCH_NORM = {
    "model.neck": None,
    "model.image_encoder.stem": "patch",
    "model.losses.sdm": None,
    "model.heads.irr": None,
    "training.optimizer": {"type": "SGD", "lr": 0.1},
    "training.trim_padding": False,
}
"""What is left is a mean over pairs, of which half a batch tells half."""


def test_accumulated_steps_are_one_step_with_a_larger_batch(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    schedule = {"training.schedule": {"type": "constant", "warmup_epochs": 0}}
    whole = train(TINY, *splits, tmp_path / "whole", overrides={**WITHOUT_BATCH_NORM, **schedule})
    small = {"training.batch_size": 2, "training.accumulate_steps": 4}
    parts = train(TINY, *splits, tmp_path / "parts", overrides={**WITHOUT_BATCH_NORM, **schedule, **small})
    one, other = (safetensors.torch.load_file(result.weights) for result in (whole, parts))
    start = train(TINY, *splits, tmp_path / "still", overrides={**WITHOUT_BATCH_NORM, "training.optimizer.lr": 0.0})
    still = safetensors.torch.load_file(start.weights)
    assert max(float((one[name] - still[name]).abs().max()) for name in one) > 1e-3
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=1e-5, rtol=1e-4, msg=name)


def test_an_epoch_ends_its_last_group_of_accumulated_steps(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    overrides = {"training.batch_size": 4, "training.accumulate_steps": 4}  # six steps: a group of four, and one of two
    straight = train(TINY, *splits, tmp_path / "straight", overrides=overrides)
    train(TINY, *splits, tmp_path / "stopped", overrides=overrides, max_minutes=0)
    stopped = train(TINY, *splits, tmp_path / "stopped", overrides=overrides, resume=True)
    assert stopped.weights.read_bytes() == straight.weights.read_bytes()


def test_tensorboard_gets_every_step_and_every_validation(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(TINY, *splits, tmp_path, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss_sdm")] == list(range(6))
    assert {"train/loss", "train/lr", "train/grad_norm"} < set(events.Tags()["scalars"])
    assert [round(event.value, 2) for event in events.Scalars("validation/R1")] == [
        round(row["validation"]["R1"], 2) for row in history(tmp_path) if "validation" in row
    ]


def test_tensorboard_that_is_not_installed_is_told(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'tipr-zoo\[tensorboard\]'"):
        train(TINY, *splits, tmp_path, tensorboard=True)


def test_an_epoch_chosen_on_test_is_marked_in_the_weights(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    words = ["train", TINY, "--data", str(synthpedes), "--work-dir", str(tmp_path), "--device", "cpu"]
    assert main([*words, "--select-on", "test", "--cfg-options", "training.max_epochs=1", "training.seed=7"]) == 0
    assert "best on test, whose figures it makes a little too good" in capsys.readouterr().out
    assert "the best epoch is chosen on the test split" in caplog.text
    about = read_metadata(tmp_path / f"{TINY}.safetensors")
    dataset = open_dataset(str(synthpedes), split="train")
    assert about == {
        "tipr_zoo_version": tipr_zoo.__version__,
        "model": TINY,
        "seed": "7",
        "epoch": "1",
        "selected_on": "test",
        "dataset": "SynthPEDES",
        "dataset_sha256": dataset.sha256,
        "plugin": tipr_zoo.load_card(TINY).plugin or "core",
        "recipe": tipr_zoo.load_card(TINY).config,
        "recipe_sha256": about["recipe_sha256"],
        "code_version": code_version(),
        "vocabulary": about["vocabulary"],
    }
    assert json.loads(about["vocabulary"])["a"] > 0
    assert re.fullmatch("[0-9a-f]{64}", about["recipe_sha256"])


def test_without_validation_the_last_epoch_is_kept(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    result = train(TINY, splits[0], None, tmp_path, overrides={"training.max_epochs": 1})
    assert (result.selected_epoch, result.validation) == (1, {})
    one = tipr_zoo.build(TINY, weights=result.weights).state_dict()
    other = tipr_zoo.build(TINY, weights=tmp_path / "epoch_1.pth").state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_classifier_gets_as_many_classes_as_there_are_identities(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overrides = {"training.max_epochs": 1, "model.heads.id.num_identities": 100}
    result = train(TINY, splits[0], None, tmp_path, overrides=overrides)
    assert safetensors.torch.load_file(result.weights)["heads.id.classifier.weight"].shape == (6, 64)
    assert "id head: 6 identities" in caplog.text


def test_a_work_dir_with_another_run_is_refused(
    straight: tuple[TrainingResult, Path], splits: tuple[PersonDataset, PersonDataset]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in straight[1].rglob("*")}
    with pytest.raises(ConfigError, match=f"{straight[1]} holds checkpoints of a training; pass --resume"):
        train(TINY, *splits, straight[1])
    assert {path: path.stat().st_mtime_ns for path in straight[1].rglob("*")} == before


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"training.batch_size": 0}, "training.batch_size must be a whole number above 0, got 0"),
        ({"training.max_epochs": "many"}, "training.max_epochs must be a whole number above 0, got 'many'"),
        ({"training.weights_dtype": "int8"}, "training.weights_dtype must be one of float32, float16, got 'int8'"),
        ({"training.seed": "abc"}, "training.seed must be a whole number from 0, got 'abc'"),
        ({"training.num_workers": -1}, "training.num_workers must be a whole number from 0, got -1"),
        ({"training.accumulate_steps": 0}, "training.accumulate_steps must be a whole number from 1, got 0"),
        ({"training.precision": "half"}, "training.precision must be one of float32, bfloat16, float16, got 'half'"),
        ({"training.find_unused_parameters": 1}, "training.find_unused_parameters must be True or False, got 1"),
        ({"model.losses": {}, "model.heads": {}}, "has neither losses nor heads, so there is nothing to train"),
        ({"training.validate_every": 0}, "training.validate_every must be a whole number from 1, got 0"),
        ({"training.clip_gradient_norm": "x"}, "training.clip_gradient_norm must be a number above 0, got 'x'"),
        ({"training.augmentation.flip": "yes"}, "training.augmentation.flip must be like 0.5, got 'yes'"),
        ({"training.augmentation.pad": -3}, "training.augmentation.pad must be like 10, got -3"),
        ({"training.schedule.warmup_epochs": "x"}, "training.schedule.warmup_epochs must be like 5, got 'x'"),
        ({"training.optimizer.lr": "fast"}, "training.optimizer.lr must be a number from 0, got 'fast'"),
        ({"training.optimizer.lr": math.inf}, "training.optimizer.lr must be a number from 0, got inf"),
        ({"training.optimizer.weight_decay": -1}, "training.optimizer.weight_decay must be a number from 0, got -1"),
        ({"training.optimizer.betas": 3}, "training.optimizer.betas must be two numbers from 0 to below 1, got 3"),
        ({"training.seed": 2**32}, "training.seed must be at most 4294967295, got 4294967296"),
        ({"training.masking": 5}, "training.masking must be True or False, got 5"),
        ({"training.trim_padding": "x"}, "training.trim_padding must be True or False, got 'x'"),
        ({"training.augmentation.flip": 2}, "augmentation flip is a probability, from 0 to 1, got 2"),
        ({"training.augmentation.erased_area": (0.4,)}, "augmentation erased_area must be a smallest and a largest"),
        ({"training.parameter_groups": 3}, "training.parameter_groups must be a dict, got 3"),
        ({"training.parameter_groups": {"bias": "x"}}, "training.parameter_groups.bias must be a number from 0, got"),
        ({"model.losses.sdm.scale": "x"}, "model.losses.sdm.scale must be a finite number, got 'x'"),
        (
            {"model.image_encoder.image_size": 10},
            "model.image_encoder.image_size must be a list of whole numbers, got 10",
        ),
        ({"model.text_encoder.num_heads": 5}, "model.text_encoder: width 32 is no multiple of num_heads 5"),
        ({"training.optimizer": None}, "the recipe has no training.optimizer"),
        ({"training.optimizer.type": "AdmaW"}, "unknown optimiser 'AdmaW'; did you mean 'AdamW'"),
        (
            {"training.optimizer.momentun": 0.9},
            "unknown argument of the optimiser AdamW (training.optimizer) 'momentun'",
        ),
        ({"training.optimizer": {"type": "SGD"}}, "training.optimizer needs 'lr'"),
        ({"training.augmentation.flipp": 1}, "unknown entry of training.augmentation 'flipp'; did you mean 'flip'"),
        ({"training.schedule.warmup": 1}, "unknown entry of training.schedule 'warmup'; did you mean 'warmup_"),
        ({"training.schedule.type": "cosin"}, "unknown schedule type 'cosin'; did you mean 'cosine'"),
        ({"training.schedule.milestones": 20}, "training.schedule.milestones must be like (20, 50), got 20"),
        ({"training.schedule.power": 0}, "schedule power must be a number above 0, got 0"),
        ({"training.parameter_groups": {"biass": 2.0}}, "unknown rule of training.parameter_groups 'biass'; did you"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_recipe_is_told_before_anything_is_trained(
    tiny_zoo: Path,
    splits: tuple[PersonDataset, PersonDataset],
    tmp_path: Path,
    overrides: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(TiprZooError) as raised:
        train(TINY, *splits, tmp_path, overrides=overrides)
    assert message in str(raised.value)
    assert not list(tmp_path.rglob("*.pth"))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_is_named_on_one_line(tiny_zoo: Path, synthpedes: Path, tmp_path: Path, workers: int) -> None:
    shutil.copytree(synthpedes, tmp_path / "data")
    dataset = open_dataset(str(tmp_path / "data"), split="train")
    broken = dataset.pictures[3]
    broken.write_bytes(b"")
    with pytest.raises(DataError) as raised:
        train(TINY, dataset, None, tmp_path / "work", overrides={"training.num_workers": workers})
    assert str(raised.value) == f"{broken} is empty (0 bytes); copy the picture again, or remove the file"


# The command


def test_the_command_trains_and_tells_where_the_weights_are(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", TINY, "--data", str(synthpedes), "--work-dir", str(tmp_path), "--device", "cpu"]
    assert main([*words, "--cfg-options", "training.max_epochs=1", "training.schedule.type=linear"]) == 0
    printed = capsys.readouterr()
    weights = tmp_path / f"{TINY}.safetensors"
    assert printed.out == f"weights: {weights} (epoch 1, best on validation)\n"
    assert f"tipr-zoo eval {TINY} --data {synthpedes} --weights {weights}" in printed.err
    assert weights.is_file()
    assert main(words) == 2
    assert "pass --resume to continue it" in capsys.readouterr().err


def test_a_data_set_without_a_validation_split_keeps_the_last_epoch(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(synthpedes, data)
    records = json.loads((data / "reid_raw.json").read_text())
    (data / "reid_raw.json").write_text(json.dumps([record for record in records if record["split"] != "val"]))
    words = ["train", TINY, "--data", str(data), "--work-dir", str(tmp_path / "work"), "--device", "cpu"]
    assert main([*words, "--cfg-options", "training.max_epochs=1"]) == 0
    assert "the last: the data set has no validation split" in capsys.readouterr().out


def test_a_broken_validation_split_is_not_taken_for_a_missing_one(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(synthpedes, data)
    picture = open_dataset(str(data), split="val").pictures[0]
    picture.unlink()
    assert main(["train", TINY, "--data", str(data), "--work-dir", str(tmp_path / "work"), "--device", "cpu"]) == 2
    assert f"no picture at {picture}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([TINY, "--data", "nowhere"], "nowhere"),
        ([TINY, "--cfg-options", "training.seed"], "--cfg-options takes KEY=VALUE"),
        (["irra_vitb16_cuhk"], "irra_vitb16_cuhk is trained on CUHK-PEDES, which cannot be drawn; pass --data DIR"),
        (["irra_vitb16_cukh"], "unknown model 'irra_vitb16_cukh'; did you mean 'irra_vitb16_cuhk'"),
    ],
)
def test_a_wrong_command_is_told(
    tiny_zoo: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *words]) == 2
    assert message in capsys.readouterr().err


# What an epoch sees


def keys(sampler: ShuffledPairs, epoch: int) -> list[tuple[int, int]]:
    sampler.set_epoch(epoch)
    return list(sampler)


@pytest.mark.parametrize(("batch_size", "by_length"), [(4, False), (4, True), (7, True)])
def test_every_pair_is_seen_once_an_epoch_in_an_order_of_its_own(batch_size: int, by_length: bool) -> None:
    lengths = torch.randint(5, 40, (150,), generator=torch.Generator().manual_seed(0))
    sampler = ShuffledPairs(lengths, 3, batch_size, by_length)
    first, second = keys(sampler, 0), keys(sampler, 1)
    assert sorted(first) == [(0, index) for index in range(150)]
    assert [index for _, index in first] != [index for _, index in second]
    assert first == keys(ShuffledPairs(lengths, 3, batch_size, by_length), 0)
    assert first != keys(ShuffledPairs(lengths, 4, batch_size, by_length), 0)


def test_captions_of_one_batch_have_nearly_the_same_length() -> None:
    lengths = torch.arange(160).remainder(40)
    sampler = ShuffledPairs(lengths, seed=0, batch_size=4, by_length=True)
    batches = torch.tensor([index for _, index in keys(sampler, 0)]).split(4)
    spread = [int(lengths[batch].max() - lengths[batch].min()) for batch in batches]
    assert max(spread) <= 8
    assert int((lengths[batches[0]].float().mean() - lengths[batches[1]].float().mean()).abs()) > 0


def test_a_seed_can_be_a_date(tiny_model: Any, splits: tuple[PersonDataset, PersonDataset]) -> None:
    pairs = TrainingPairs(splits[0], tiny_model, Augmentation(), seed=20231121, masking=True)
    assert pairs[99, 3]["images"].isfinite().all()


def test_a_pair_depends_on_seed_epoch_and_index_alone(
    tiny_model: Any, splits: tuple[PersonDataset, PersonDataset]
) -> None:
    def pairs(seed: int) -> TrainingPairs:
        return TrainingPairs(splits[0], tiny_model, Augmentation(pad=2), seed, masking=True)

    one, other = pairs(0), pairs(0)
    _ = [other[0, index] for index in range(3)]  # what was drawn before does not count
    for name, value in one[4, 5].items():
        assert torch.equal(value, other[4, 5][name])
    assert not torch.equal(one[4, 5]["images"], one[5, 5]["images"])
    assert not torch.equal(one[4, 5]["images"], pairs(1)[4, 5]["images"])


def test_a_batch_holds_what_the_losses_need(tiny_model: Any, splits: tuple[PersonDataset, PersonDataset]) -> None:
    dataset = splits[0]
    pairs = TrainingPairs(dataset, tiny_model, Augmentation(), 0, masking=True)
    batch = collate_trimmed_pairs([pairs[0, index] for index in range(len(pairs))])
    whole = tiny_model.tokenize(dataset.captions)
    longest = int(whole.argmax(dim=1).max()) + 1
    assert tuple(batch["images"].shape) == (24, 3, *tiny_model.image_size)
    assert torch.equal(batch["caption_ids"], whole[:, :longest])
    assert batch["mlm_ids"].shape == batch["mlm_labels"].shape == batch["caption_ids"].shape
    assert sorted(set(batch["pids"].tolist())) == list(range(6))
    unmasked = TrainingPairs(dataset, tiny_model, Augmentation(), 0, masking=False)
    assert set(unmasked[0, 0]) == {"images", "caption_ids", "pids"}


class TestMasking:
    @pytest.fixture
    def tokenizer(self) -> CaptionTokenizer:
        return TOKENIZERS.build({"type": "SmallTokenizer", "file": "synthpedes.json"})

    def test_words_are_masked_replaced_or_kept_in_the_shares_of_bert(self, tokenizer: CaptionTokenizer) -> None:
        ids = tokenizer("a man in a red jacket and a pair of blue jeans with a black bag over his right shoulder")[0]
        end = int(ids.argmax())
        generator = torch.Generator().manual_seed(0)
        masked, labels = (
            torch.stack(rows)
            for rows in zip(*(mask_caption(ids, tokenizer, generator) for _ in range(4000)), strict=True)
        )
        chosen = labels != 0
        assert torch.equal(labels[chosen], ids.expand(4000, -1)[chosen])
        assert torch.equal(masked[~chosen], ids.expand(4000, -1)[~chosen])
        assert not chosen[:, 0].any()
        assert not chosen[:, end:].any()
        assert chosen.any(dim=1).all()
        assert chosen[:, 1:end].float().mean().item() == pytest.approx(0.15, abs=0.02)
        became_mask = masked[chosen] == tokenizer.mask_id
        kept = masked[chosen] == labels[chosen]
        assert became_mask.float().mean().item() == pytest.approx(0.8, abs=0.03)
        assert kept.float().mean().item() == pytest.approx(0.1, abs=0.02)
        assert int(masked[chosen][~became_mask].max()) < tokenizer.mask_id
        assert int(masked[chosen].min()) > 0

    def test_where_nothing_was_chosen_the_first_word_is_masked(self, tokenizer: CaptionTokenizer) -> None:
        ids = tokenizer("a man")[0]
        masked, labels = mask_caption(ids, tokenizer, torch.Generator().manual_seed(0), probability=0.0)
        assert labels.nonzero().flatten().tolist() == [1]
        assert masked[1] == tokenizer.mask_id

    def test_an_empty_caption_has_nothing_to_mask(self, tokenizer: CaptionTokenizer) -> None:
        ids = tokenizer("")[0]
        masked, labels = mask_caption(ids, tokenizer, torch.Generator().manual_seed(0), probability=1.0)
        assert torch.equal(masked, ids)
        assert labels.sum() == 0


class TestAugmentation:
    PIXELS = torch.randint(0, 256, (3, 40, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    PLAIN = ImageNormalisation(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def changed(self, **settings: Any) -> torch.Tensor:
        augmentation = Augmentation(**{"flip": 0, "pad": 0, "erase": 0, **settings})
        return augmentation(self.PIXELS, self.PLAIN, torch.Generator().manual_seed(0))

    def test_nothing_is_changed_where_nothing_is_asked_for(self) -> None:
        torch.testing.assert_close(self.changed(), self.PIXELS.float() / 255)

    def test_a_flip_is_horizontal(self) -> None:
        torch.testing.assert_close(self.changed(flip=1), self.PIXELS.flip(-1).float() / 255)

    def test_a_shift_moves_in_black(self) -> None:
        shifted, pixels = self.changed(pad=3), self.PIXELS.float() / 255
        padded = torch.nn.functional.pad(pixels, (3,) * 4)
        windows = [padded[:, y : y + 40, x : x + 20] for y in range(7) for x in range(7)]
        assert any(torch.equal(shifted, window) for window in windows)

    def test_a_rectangle_of_the_asked_size_is_erased(self) -> None:
        different = (self.changed(erase=1) != self.PIXELS.float() / 255).any(dim=0)
        rows, columns = different.any(dim=1).nonzero(), different.any(dim=0).nonzero()
        height, width = (int(span.max() - span.min()) + 1 for span in (rows, columns))
        assert 0.01 < height * width / (40 * 20) < 0.45
        assert different.sum() > 0.9 * height * width


# Rates


def test_a_rate_that_changes_every_step_meets_the_one_of_every_epoch_at_its_beginning() -> None:
    by_epoch, by_step = Schedule("cosine", 2, 0.1), Schedule("cosine", 2, 0.1, every_step=True)
    for epoch in range(10):
        assert by_step.factor(epoch, 10) == by_epoch.factor(epoch + 0.7, 10)
    assert by_epoch.factor(0, 10) < by_step.factor(0.5, 10) < by_epoch.factor(1, 10)
    assert by_step.factor(10, 10) == pytest.approx(0)
    assert Schedule("constant", 2).factor(9, 10) == 1
    assert [Schedule("step", 2, milestones=(4, 7), gamma=0.5).factor(epoch, 10) for epoch in (3, 4, 7)] == [
        1,
        0.5,
        0.25,
    ]
    assert Schedule("cosine", 0).factor(0, 10) == 1


def test_a_rate_may_end_above_nothing() -> None:
    usual, ending = Schedule("cosine", 1, 0.01, True), Schedule("cosine", 1, 0.01, True, final_factor=0.05)
    assert [ending.factor(epoch, 5) for epoch in (0, 1, 5)] == [0.01, 1, pytest.approx(0.05)]
    assert ending.factor(0.5, 5) == usual.factor(0.5, 5)  # the warm-up is the same
    assert ending.factor(3, 5) == pytest.approx(0.05 + 0.95 * usual.factor(3, 5))
    assert Schedule("linear", 0, final_factor=0.2).factor(10, 10) == pytest.approx(0.2)
    with pytest.raises(ConfigError, match=r"schedule final_factor must be from 0 to 1, got 1\.5"):
        Schedule(final_factor=1.5)


def test_the_optimiser_gets_every_parameter_once(tiny_model: Any) -> None:
    optimiser = build_optimiser(tiny_model, {"type": "SGD", "lr": 0.5, "momentum": 0.9}, {"bias": 2.0})
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    assert len(parameters) == len(set(map(id, parameters))) == len(list(tiny_model.parameters()))
    assert {group["lr"] for group in optimiser.param_groups} == {0.5, 1.0}
    assert math.isclose(optimiser.param_groups[0]["momentum"], 0.9)
