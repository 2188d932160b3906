"""`tipr-zoo train --dry-run`: what it says is true, and it leaves nothing behind."""

from __future__ import annotations

import json
import mmap
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import HOOKS
from tipr_zoo.training.trail import disk_use
from tipr_zoo.training.train import train

TINY = "a_tiny_model"

Splits = tuple[PersonDataset, PersonDataset]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go; nothing may be left there, too."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def words(data: Path, work_dir: Path, *more: str) -> list[str]:
    return ["train", TINY, "--data", str(data), "--work-dir", str(work_dir), "--device", "cpu", "--dry-run", *more]


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in (folder, *folder.rglob("*"))}


def test_it_says_what_a_training_would_be_and_writes_nothing(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, scratch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(synthpedes)
    assert main(words(synthpedes, tmp_path / "run", "--json")) == 0
    found = report(capsys)
    assert [(split["use"], split["split"], split["captions"]) for split in found["splits"]] == [
        ("training", "train", 24),
        ("choosing the epoch", "val", 8),
    ]
    model = tipr_zoo.build(TINY, overrides={"model.heads.id.num_identities": 6})
    parts = {part["name"]: part for part in found["parts"]}
    assert set(parts) == {"image_encoder", "text_encoder", "heads.id", "heads.irr"}  # the neck has no parameters
    assert sum(part["parameters"] for part in parts.values()) == sum(value.numel() for value in model.parameters())
    assert parts["text_encoder"]["trainable"] == sum(value.numel() for value in model.text_encoder.parameters())
    assert (found["batch_size"], found["steps"], found["epochs"], found["epochs_left"]) == (8, 3, 2, 2)
    assert found["step"]["steps"] >= 2
    assert 0 < found["step"]["seconds"] < 100
    assert found["step"]["memory"] > 700_000
    assert found["epoch_seconds"] == pytest.approx(
        3 * (found["step"]["seconds"] + found["step"]["loading_seconds"]), rel=1e-6
    )
    assert found["goes_on_from"] is None
    assert not (tmp_path / "run").exists()
    assert list(scratch.iterdir()) == []
    assert state(synthpedes) == before


def test_the_files_are_those_that_a_training_writes(
    tiny_zoo: Path, synthpedes: Path, splits: Splits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(TINY, *splits, tmp_path / "run", tensorboard=True)
    assert main(words(synthpedes, tmp_path / "other", "--tensorboard", "--json")) == 0
    planned: dict[str, int] = {}
    for file in report(capsys)["files"]:
        planned |= {name.strip("/"): file["bytes"] for name in file["name"].split(", ")}
    for path in (tmp_path / "run").iterdir():
        name = "epoch_N.pth" if path.suffix == ".pth" else path.name
        size = sum(each.stat().st_size for each in (path, *path.rglob("*")) if each.is_file())
        assert size <= planned[name], f"{name} has {size} bytes"


@pytest.mark.parametrize("train_base", [False, True])
def test_the_adapters_are_planned_as_they_are_written(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], train_base: bool
) -> None:
    pytest.importorskip("peft")
    lora = {"type": "lora", "r": 2, "targets": ["attn.qkv", "q_proj"], "train_base": train_base}
    change = ("--cfg-options", f"training.adapters={lora}", "training.max_epochs=1", "training.ema={'decay':0.5}")
    assert main([*words(synthpedes, tmp_path / "run", *change), "--json"]) == 0
    planned = {file["name"]: file["bytes"] for file in report(capsys)["files"]}
    assert main([word for word in words(synthpedes, tmp_path / "run", *change) if word != "--dry-run"]) == 0
    name = f"{TINY}.adapter.safetensors"
    assert (name in planned) == (tmp_path / "run" / name).is_file() == (not train_base)
    for written in (tmp_path / "run").glob("*.safetensors"):
        assert written.stat().st_size <= planned[written.name] < 2 * written.stat().st_size


def test_operations_are_those_of_the_layers(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A head of I numbers to O of n rows has 2 n I O operations forward, and twice as many backward."""
    counts = []
    for depth in (1, 2, 3):
        change = ("--cfg-options", f"model.text_encoder.depth={depth}", "training.trim_padding=False")
        assert main(words(synthpedes, tmp_path / "run", "--json", *change)) == 0
        found = report(capsys)
        counts.append((found["forward_flops"], found["step_flops"]))
    length, width, rows = 77, 32, 8 * 77
    linear = 2 * length * (4 * width * width + 2 * width * 4 * width)
    attention = 2 * 2 * length * length * width
    one = counts[1][0] - counts[0][0]
    assert counts[2][0] - counts[1][0] == one
    # Masked captions, where there are any, are read by the same tower.
    assert one in (linear + attention, 2 * (linear + attention)), (one, linear, attention, rows)
    assert counts[1][1] - counts[0][1] == 3 * one


def test_the_report_for_people(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(synthpedes, tmp_path / "run", "--wandb")) == 0
    printed = capsys.readouterr().out
    assert f"{TINY}, a dry run: nothing is written, and nothing was changed" in printed
    assert "100.0 %" in printed
    for text in ("a pair: 0.0", " GFLOPs forward, ", "a step of 8 pairs: ", "an epoch of 3 steps: about", "wandb/"):
        assert text in printed
    assert "it begins anew, 2 of 2 epochs" in printed


def test_frozen_parameters_are_counted_as_such(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("peft")
    change = "training.adapters={'r': 2, 'targets': ['attn.qkv']}"
    assert main(words(synthpedes, tmp_path / "run", "--json", "--cfg-options", change)) == 0
    found = report(capsys)
    parts = {part["name"]: part for part in found["parts"]}
    assert 0 < parts["image_encoder"]["trainable"] < parts["image_encoder"]["parameters"] / 10
    assert parts["text_encoder"]["trainable"] == 0
    assert f"{TINY}.adapter.safetensors" in [file["name"] for file in found["files"]]


def test_with_resume_it_says_where_it_would_go_on_and_leaves_the_work_dir_as_it_is(
    tiny_zoo: Path, synthpedes: Path, splits: Splits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work_dir = tmp_path / "run"
    train(TINY, *splits, work_dir)
    before = state(work_dir)
    assert main(words(synthpedes, work_dir, "--resume", "--json", "--cfg-options", "training.max_epochs=5")) == 0
    found = report(capsys)
    assert (found["goes_on_from"], found["epochs_left"]) == ("epoch_2.pth", 3)
    assert state(work_dir) == before
    assert main(words(synthpedes, work_dir)) == 2
    assert "pass --resume to continue it" in capsys.readouterr().err
    assert main(words(synthpedes, work_dir, "--resume", "--cfg-options", "model.text_encoder.depth=2")) == 2
    assert "epoch_2.pth is of another model or data set" in capsys.readouterr().err
    assert main(words(synthpedes, tmp_path / "none", "--resume", "--json")) == 0
    assert report(capsys)["goes_on_from"] is None
    assert state(work_dir) == before
    assert not (tmp_path / "none").exists()


def test_a_disk_without_room_is_a_problem(
    tiny_zoo: Path,
    synthpedes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(disk_use.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    assert main(words(synthpedes, tmp_path / "run")) == 1
    assert "and 1.0 MB are free on its disk; make room, or name another --work-dir" in capsys.readouterr().out


def test_a_training_after_a_dry_run_is_the_same(
    tiny_zoo: Path, synthpedes: Path, splits: Splits, tmp_path: Path
) -> None:
    first = train(TINY, *splits, tmp_path / "first", overrides={"training.max_epochs": 1})
    assert main(words(synthpedes, tmp_path / "run")) == 0
    second = train(TINY, *splits, tmp_path / "second", overrides={"training.max_epochs": 1})
    assert first.weights.read_bytes() == second.weights.read_bytes()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--data", "nowhere"], "no folder at nowhere"),
        (["--cfg-options", "model.losses={}", "model.heads={}"], "has neither losses nor heads, so there is nothing"),
        (["--cfg-options", "training.batch_size=0"], "training.batch_size must be a whole number above 0"),
        (["--cfg-options", "training.optimizer.lr=1e30"], "not finite"),
        (["--work-dir", "a_file/run"], "a_file is a file; name a folder"),
        (["--weights", "nowhere.pth"], "nowhere.pth do not exist"),
    ],
)
def test_what_a_training_would_refuse_is_told(
    tiny_zoo: Path,
    synthpedes: Path,
    tmp_path: Path,
    more: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").touch()
    assert main(words(synthpedes, tmp_path / "run", *more)) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_json_is_of_a_dry_run(tiny_zoo: Path, synthpedes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", TINY, "--data", str(synthpedes), "--json"]) == 2
    assert "--json prints what a dry run found; add --dry-run, or leave it out" in capsys.readouterr().err


def test_operations_that_cannot_be_counted_are_told(
    tiny_zoo: Path,
    synthpedes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tipr_zoo.training import measured_step

    monkeypatch.setattr(measured_step, "COUNTED", 0)
    assert main(words(synthpedes, tmp_path / "run")) == 0
    assert "the operations of a pair cannot be counted" in capsys.readouterr().out


def test_the_most_memory_of_a_block_is_noted() -> None:
    from tipr_zoo.machine.memory_use import PeakMemory

    if not sys.platform.startswith("linux"):
        pytest.skip("elsewhere the system tells less")
    other = pages(200_000_000)  # of another, and when it goes, it hides nothing
    with PeakMemory(torch.device("cpu")) as memory:
        other.close()
        for _ in range(20):
            pages(200_000_000).close()
    assert 150e6 < memory.bytes < 400e6


def pages(count: int) -> mmap.mmap:
    """So many bytes in use, of the system itself: the allocator may take others from what lies free in its heap."""
    taken = mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for start in range(0, count, mmap.PAGESIZE):
        taken[start] = 1
    return taken


def test_averages_that_cannot_go_on_are_told(
    tiny_zoo: Path, splits: Splits, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(TINY, *splits, tmp_path / "run", overrides={"training.max_epochs": 1})
    options = ("--resume", "--cfg-options", "training.max_epochs=2", "training.ema={'decay': 0.9}")
    assert main(words(synthpedes, tmp_path / "run", *options)) == 2
    assert "was written without moving averages" in capsys.readouterr().err.splitlines()[-1]


def test_passes_of_hooks_over_all_pairs_are_in_the_time_of_an_epoch(
    tiny_zoo: Path,
    synthpedes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches = []

    class Passing:
        def before_epoch(self, run: Any) -> None:
            def measure(batch: Any) -> dict[str, torch.Tensor]:
                batches.append(batch)
                time.sleep(0.05)
                return {"a": batch["pids"]}

            run.measure_pairs(measure)

    monkeypatch.setitem(HOOKS._module_dict, "Passing", Passing)
    options = ("training.hooks=[{'type': 'Passing'}]", "training.batch_size=2")
    assert main(words(synthpedes, tmp_path / "run", "--json", "--cfg-options", *options)) == 0
    found = report(capsys)
    assert len(batches) == 2
    assert found["pass_seconds"] >= 0.05 * (found["steps"] - 2)
    assert found["epoch_seconds"] > found["pass_seconds"]
    assert main(words(synthpedes, tmp_path / "run", "--cfg-options", *options)) == 0
    assert "of it passes of hooks over all pairs)" in capsys.readouterr().out


@pytest.mark.parametrize("name", [f"{TINY}.safetensors", "best.json", "history.jsonl"])
def test_a_folder_in_the_place_of_a_file_is_told_before_the_training(
    tiny_zoo: Path, splits: Splits, synthpedes: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run" / name).mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"{name} is a folder, and a training writes a file of this name; move it"):
        train(TINY, *splits, tmp_path / "run", overrides={"training.max_epochs": 1})
    assert main(words(synthpedes, tmp_path / "run")) == 1
    assert f"{name} is a folder" in capsys.readouterr().out
