"""What a run goes on from, what it refuses to go on with, and what it never writes."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError, TrainingError, WeightsError
from tipr_zoo.machine import linear_products
from tipr_zoo.registries import LOSSES
from tipr_zoo.training.checkpoints.history import HISTORY
from tipr_zoo.training.checkpoints.work_dir_lock import LOCK, locked
from tipr_zoo.training.loop.optim_wrapper import TrainingOptimWrapper
from tipr_zoo.training.train import TrainingResult, train
from tipr_zoo.weights.tensors import write_weights

TINY = "a_tiny_model"

Splits = tuple[PersonDataset, PersonDataset]


@pytest.fixture(scope="module")
def straight(tiny_zoo: Path, splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of two epochs that nothing happened to."""
    work_dir = tmp_path_factory.mktemp("straight")
    train(TINY, *splits, work_dir)
    return work_dir


@pytest.fixture
def work_dir(straight: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(straight, tmp_path / "run"))


def third_epoch(splits: Splits, work_dir: Path, **overrides: Any) -> TrainingResult:
    """Go on for one more epoch."""
    return train(TINY, *splits, work_dir, resume=True, overrides={"training.max_epochs": 3, **overrides})


def history(work_dir: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (work_dir / HISTORY).read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


# What it goes on from


def zero_some_bytes(file: Path) -> None:
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
        numbers = archive.read(largest)
    middle = content.index(numbers) + len(numbers) // 2
    content[middle : middle + 64] = bytes(64)
    file.write_bytes(content)


def leave_weights_alone(file: Path) -> None:
    torch.save(torch.load(file, weights_only=True)["state_dict"], file)


def leave_out_the_optimiser(file: Path) -> None:
    entries = torch.load(file, weights_only=True)
    del entries["optimizer"]
    torch.save(entries, file)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (zero_some_bytes, "in it has another checksum"),
        (leave_weights_alone, "is no checkpoint of a training: it has no state_dict"),
        (leave_out_the_optimiser, "is no checkpoint of a training: it has no optimizer"),
    ],
)
def test_what_is_not_a_whole_checkpoint_is_told_and_the_one_before_it_taken(
    splits: Splits,
    straight: Path,
    work_dir: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
    told: str,
) -> None:
    damage(work_dir / "epoch_2.pth")
    train(TINY, *splits, work_dir, resume=True)
    assert f"{work_dir / 'epoch_2.pth'}" in caplog.text
    assert f"{told}; the checkpoint before it is tried" in caplog.text
    assert history(work_dir) == history(straight)
    one, other = (torch.load(folder / "epoch_2.pth", weights_only=True) for folder in (work_dir, straight))
    assert all(torch.equal(one["state_dict"][name], value) for name, value in other["state_dict"].items())


@pytest.mark.skipif(not linear_products._has_onednn(), reason="this PyTorch has one way of linear products only")
@pytest.mark.parametrize(("before", "now"), [("torch", "onednn"), ("onednn", "torch")])
def test_linear_products_are_computed_as_before(
    splits: Splits, work_dir: Path, before: str, now: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = torch.load(work_dir / "epoch_2.pth", weights_only=True)
    entries["tipr_zoo"]["linear_products"] = before
    torch.save(entries, work_dir / "epoch_2.pth")
    used: list[str] = []
    product = linear_products._onednn
    monkeypatch.setattr(linear_products, "_onednn", lambda *tensors: used.append("onednn") or product(*tensors))
    monkeypatch.setattr(linear_products, "_chosen", lambda: now)
    monkeypatch.setattr(linear_products, "LEAST_PRODUCT", 1)
    third_epoch(splits, work_dir)
    assert bool(used) == (before == "onednn")
    assert torch.load(work_dir / "epoch_3.pth", weights_only=True)["tipr_zoo"]["linear_products"] == before
    assert linear_products.way() == now


def test_nothing_in_a_checkpoint_is_run(splits: Splits, straight: Path, work_dir: Path, tmp_path: Path) -> None:
    """MMEngine would run a text called ``config`` in what a checkpoint says of its training."""
    entries = torch.load(work_dir / "epoch_2.pth", weights_only=True)
    entries["meta"]["config"] = f"open({str(tmp_path / 'ran')!r}, 'w')"
    torch.save(entries, work_dir / "epoch_2.pth")
    third_epoch(splits, work_dir)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "notes", [5, {}, {"fingerprint": 5, "step_in_epoch": 0}, {"fingerprint": {"recipe": {}, "data": {"a": 1}}}]
)
def test_notes_that_are_none_are_told(splits: Splits, work_dir: Path, notes: object) -> None:
    entries = torch.load(work_dir / "epoch_2.pth", weights_only=True)
    torch.save(entries | {"tipr_zoo": notes}, work_dir / "epoch_2.pth")
    with pytest.raises(WeightsError, match="is damaged: it does not say what it was trained on"):
        third_epoch(splits, work_dir)


def test_damaged_checkpoints_are_not_kept_in_the_place_of_whole_ones(splits: Splits, work_dir: Path) -> None:
    (work_dir / "epoch_9.pth").write_bytes(b"damaged")
    (work_dir / "epoch_8.pth").mkdir()
    third_epoch(splits, work_dir)
    assert sorted(path.name for path in work_dir.glob("epoch_*")) == ["epoch_2.pth", "epoch_3.pth", "epoch_8.pth"]


def test_rates_are_those_of_the_present_recipe(splits: Splits, work_dir: Path) -> None:
    """As after a loss that was not a number, where a lower rate is advised."""
    third_epoch(splits, work_dir, **{"training.optimizer.lr": 0.0})
    before, after = (torch.load(work_dir / f"epoch_{epoch}.pth", weights_only=True)["state_dict"] for epoch in (2, 3))
    names = [name for name, _ in tipr_zoo.build(TINY).named_parameters()]
    assert all(torch.equal(before[name], after[name]) for name in names)


# What it does not go on with


def test_the_split_that_the_best_epoch_is_chosen_on_cannot_change(
    splits: Splits, work_dir: Path, test_split: PersonDataset
) -> None:
    with pytest.raises(ConfigError, match=r"chooses the best epoch on val, not on test: .*choose on val again"):
        third_epoch((splits[0], test_split), work_dir)


def test_the_kind_of_the_optimiser_cannot_change(splits: Splits, work_dir: Path) -> None:
    with pytest.raises(ConfigError, match=r"training.optimizer.type is 'AdamW', with which one whose is 'SGD' cannot"):
        third_epoch(splits, work_dir, **{"training.optimizer": {"type": "SGD", "lr": 0.1}})


def test_a_damaged_history_is_told(splits: Splits, work_dir: Path) -> None:
    with (work_dir / HISTORY).open("a") as file:
        file.write("\0\0\0\n")
    with pytest.raises(TrainingError, match=r"history.jsonl, line 5 is damaged: .*; delete the line, then go on"):
        third_epoch(splits, work_dir)


def test_lost_weights_of_the_best_epoch_are_told(
    splits: Splits, work_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (work_dir / "best.json").unlink()
    result = train(TINY, *splits, work_dir, resume=True)
    assert f"{work_dir}: the weights of the best epoch are missing or damaged: the best epoch is chosen" in caplog.text
    assert (result.selected_on, result.selected_epoch) == ("none", 2)


HOLD = (
    "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); sys.stdin.read()"
)


def test_two_trainings_do_not_share_a_work_dir(splits: Splits, tmp_path: Path, tiny_zoo: Path) -> None:
    words = [sys.executable, "-c", HOLD, str(tmp_path / LOCK)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(ConfigError, match=f"another process trains in {tmp_path}; wait for its end, or name"):
            train(TINY, *splits, tmp_path)
        other.kill()
    train(TINY, *splits, tmp_path, max_minutes=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is nothing to inherit where nothing is forked")
def test_a_process_that_loads_pictures_does_not_keep_the_work_dir(tmp_path: Path) -> None:
    locking = f"""
import os, signal, time
from pathlib import Path
from tipr_zoo.training.checkpoints.work_dir_lock import locked
with locked(Path({str(tmp_path)!r})):
    if not os.fork():
        os.close(1)
        time.sleep(60)
    print(os.getpid(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    first = subprocess.Popen([sys.executable, "-c", locking], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert first.stdout is not None
        assert first.stdout.read().strip()
        assert first.wait() == -signal.SIGKILL
        with locked(tmp_path):
            pass
        os.killpg(first.pid, 0)  # the other one is still there
    finally:
        os.killpg(first.pid, signal.SIGKILL)


def test_a_work_dir_that_cannot_be_written_is_told(splits: Splits, tmp_path: Path, tiny_zoo: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(ConfigError, match=r"nothing can be written in work dir .*run: File exists; name another"):
        train(TINY, *splits, tmp_path / "run")


def test_a_work_dir_that_no_file_system_takes_is_told(
    splits: Splits, synthpedes: Path, tiny_zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = r"'some\x00where' has a NUL character in its name; name another place"
    with pytest.raises(ConfigError, match=re.escape(told)):
        train(TINY, *splits, Path("some\0where"))
    assert main(["train", TINY, "--data", str(synthpedes), "--work-dir", "some\0where", "--dry-run"]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("minutes", [-1.0, float("nan")])
def test_a_time_limit_that_makes_no_sense_is_told(
    splits: Splits, tmp_path: Path, tiny_zoo: Path, minutes: float
) -> None:
    with pytest.raises(ConfigError, match="max_minutes must be a number from 0, got"):
        train(TINY, *splits, tmp_path, max_minutes=minutes)


# Processes that load pictures


def test_a_process_that_loads_pictures_outlives_sigterm_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    from tipr_zoo.training.pairs import training_loader

    monkeypatch.setattr(training_loader, "GRACE", 0.5)
    ready = multiprocessing.get_context("fork").Event()

    def load() -> None:
        training_loader.outlive_sigterm(0)
        ready.set()
        while True:
            time.sleep(0.05)

    process = multiprocessing.get_context("fork").Process(target=load, daemon=True)
    process.start()
    assert ready.wait(10)
    process.terminate()
    process.join(0.2)
    assert process.is_alive()
    process.join(10)
    assert process.exitcode == -signal.SIGALRM


# A full disk


@pytest.mark.parametrize(
    "name", ["history.jsonl", "best.json", f"{TINY}.safetensors", "recipe.py", "runs.json", "train.log"]
)
def test_a_full_disk_is_one_line_whatever_is_written(splits: Splits, straight: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(TrainingError, match=r"No space left on device; .*go on with --resume") as raised:
        train(TINY, *splits, tmp_path)
    assert str(tmp_path) in str(raised.value)
    (tmp_path / name).unlink(missing_ok=True)
    train(TINY, *splits, tmp_path, resume=True)
    assert history(tmp_path) == history(straight)


# What is not finite


class NoGradient(nn.Module):
    """A finite loss whose gradient is not a number, in the third batch, the last one of the first epoch."""

    seen = 0

    def forward(self, features: Any, batch: Any) -> Tensor:
        NoGradient.seen += 1
        zeros = features.image_embedding * 0.0
        return zeros.sum() if NoGradient.seen != 3 else zeros.abs().sqrt().sum()


@pytest.mark.parametrize("clip", [5.0, None])
def test_a_gradient_that_is_not_a_number_is_named_and_in_no_checkpoint(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: float | None
) -> None:
    LOSSES.register_module("NoGradient", force=True)(NoGradient)
    monkeypatch.setattr(NoGradient, "seen", 0)
    overrides = {"model.losses.odd": {"type": "NoGradient"}, "training.clip_gradient_norm": clip}
    with pytest.raises(TrainingError) as raised:
        train(TINY, *splits, tmp_path, overrides=overrides)
    assert "a gradient is not finite at step 3, in epoch 1: the losses are, but not the gradients of" in str(
        raised.value
    )
    assert "image_encoder.trunk.head.weight" in str(raised.value)
    assert not list(tmp_path.glob("*.pth"))


@pytest.mark.parametrize(("gradient", "scale"), [(float("nan"), 2.0**-20), (1e30, 1.0)])
def test_a_gradient_that_no_scale_mends_is_not_left_out_for_ever(gradient: float, scale: float) -> None:
    from tipr_zoo.training.loop.not_finite import NotFiniteError

    parameter = nn.Parameter(torch.ones(2))
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    wrapper = TrainingOptimWrapper(torch.optim.SGD([parameter], lr=1.0), scaler=scaler)
    wrapper.start_epoch(0, 1)
    with pytest.raises(NotFiniteError):
        wrapper.update_params((parameter * gradient).sum())
    assert parameter.tolist() == [1.0, 1.0]


def test_what_overflows_in_float16_alone_is_named(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    state = tipr_zoo.build(TINY, overrides={"model.heads.id.num_identities": 6}).state_dict()
    state["image_encoder.trunk.patch_embed.proj.0.weight"] *= 1e6
    write_weights(state, tmp_path / "large.safetensors")
    overrides = {"training.precision": "float16"}
    with pytest.raises(TrainingError, match="tokens of the image tower are not finite"):
        train(TINY, *splits, tmp_path / "run", weights=tmp_path / "large.safetensors", overrides=overrides)


def test_steps_that_float16_leaves_out_are_told(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(TINY, *splits, tmp_path, overrides={"training.precision": "float16"}, max_minutes=0)
    assert "epoch 1: 3 of 3 steps changed nothing, since their gradients were too large" in capsys.readouterr().err
