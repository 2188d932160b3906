"""What a training leaves besides its weights: the recipe, its runs, its log, and how it went."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError, TrainingError, TrainingInterrupted
from tipr_zoo.machine.code_version import code_version
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.trail import disk_use
from tipr_zoo.training.trail.train_log import TrainLog
from tipr_zoo.training.train import train

TINY = "a_tiny_model"

Splits = tuple[PersonDataset, PersonDataset]

RULES = {"training.parameter_groups": {"bias": 2.0, "classifier": 5.0}, "training.clip_gradient_norm": 1e6}


@pytest.fixture(scope="module")
def straight(tiny_zoo: Path, splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of two epochs in one go."""
    work_dir = tmp_path_factory.mktemp("straight")
    train(TINY, *splits, work_dir, overrides=RULES)
    return work_dir


def runs(work_dir: Path) -> list[dict[str, Any]]:
    return json.loads((work_dir / "runs.json").read_text())


def log(work_dir: Path) -> str:
    text = (work_dir / "train.log").read_text()
    assert text.endswith("\n")
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in text.splitlines())
    return text


def history(work_dir: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (work_dir / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def words(data: Path, work_dir: Path, *more: str) -> list[str]:
    return ["train", TINY, "--data", str(data), "--work-dir", str(work_dir), "--device", "cpu", *more]


# The files


def test_these_files_are_left_and_no_others(straight: Path) -> None:
    assert {path.name for path in straight.iterdir()} == {
        *("epoch_1.pth", "epoch_2.pth", f"{TINY}.safetensors", "best.json", ".lock"),
        *("recipe.py", "runs.json", "train.log", "history.jsonl", "curves.png"),
    }


def test_the_recipe_trains_the_same_again(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    changes = ("training.max_epochs=1", "training.seed=7", "training.optimizer.betas=(0.8, 0.95)")
    changes = (*changes, "model.text_encoder.depth=2")
    assert main(words(synthpedes, first, "--cfg-options", *changes)) == 0
    assert main(words(synthpedes, again, "--recipe", str(first / "recipe.py"))) == 0
    weights = [(folder / f"{TINY}.safetensors").read_bytes() for folder in (first, again)]
    assert weights[0] == weights[1]
    assert (first / "recipe.py").read_bytes() == (again / "recipe.py").read_bytes()
    measure = capsys.readouterr().err.splitlines()[-1]
    assert "--cfg-options 'model.text_encoder={" in measure
    assert "model.image_encoder" not in measure


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("nowhere.py", "there is no recipe at nowhere.py"),
        ("data.txt", "recipe data.txt is no file that MMEngine reads"),
    ],
)
def test_a_recipe_that_is_none_is_told(
    tiny_zoo: Path,
    file: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.txt").touch()
    assert main(["train", TINY, "--recipe", file]) == 2
    assert message in capsys.readouterr().err


def test_a_value_that_no_file_can_say_is_told(tiny_zoo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from tipr_zoo.training.trail.recipe_file import write_recipe

    recipe = {"model": {"a": 1, "b": [1, object()]}, "training": {"c": "x" * 300, "d": (1, 2.5, None)}}
    write_recipe(tmp_path, "m", recipe)
    assert "recipe.py leaves out model.b[1], which is <object" in caplog.text
    found: dict[str, Any] = {}
    exec((tmp_path / "recipe.py").read_text(), found)
    assert found["model"] == {"a": 1}
    assert found["training"] == recipe["training"]


def test_a_run_says_what_it_was(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hunter2-secret")
    asked = words(synthpedes, tmp_path, "--cfg-options", "training.max_epochs=1", "training.seed=3")
    assert main(asked) == 0
    (run,) = runs(tmp_path)
    assert run["command"] == f"tipr-zoo {' '.join(asked)}"
    assert run["overrides"] == {"training.max_epochs": 1, "training.seed": 3}
    assert (run["seed"], run["processes"], run["goes_on_from"]) == (3, 1, None)
    assert run["device"].startswith("cpu (")
    assert run["versions"]["tipr_zoo"] == code_version()
    assert {"python", "torch", "timm", "transformers", "mmengine"} < set(run["versions"])
    assert run["versions"]["plugins"] == {"tiny": "tipr-zoo-tiny 1.0"}
    assert [split["split"] for split in run["data"]] == ["train", "val"]
    assert (run["data"][0]["pictures"], run["data"][0]["captions"], run["data"][0]["identities"]) == (12, 24, 6)
    assert run["started"] <= run["ended"]
    assert run["how_it_ended"] == "finished"
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"hunter2-secret" not in written


def test_a_resumed_run_appends(straight: Path, splits: Splits, tmp_path: Path) -> None:
    work_dir = tmp_path / "run"
    train(TINY, *splits, work_dir, overrides=RULES, max_minutes=0)
    before = log(work_dir)
    train(TINY, *splits, work_dir, overrides=RULES, resume=True)
    assert [run["goes_on_from"] for run in runs(work_dir)] == [None, "epoch_1.pth"]
    assert log(work_dir).startswith(before)
    assert f"the training of {TINY}: goes on from epoch_1.pth, cpu" in log(work_dir)
    assert history(work_dir) == history(straight)
    assert Image.open(work_dir / "curves.png").tobytes() == Image.open(straight / "curves.png").tobytes()


def test_an_error_is_the_last_line_of_the_log(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tipr_zoo.training.loop.hooks import RandomStateHook

    def stopped(*_: Any, **__: Any) -> None:
        raise TrainingInterrupted("stopped by SIGTERM; go on with --resume", 15)

    monkeypatch.setattr(RandomStateHook, "before_train_iter", stopped)
    with pytest.raises(TrainingInterrupted):
        train(TINY, *splits, tmp_path)
    assert log(tmp_path).splitlines()[-1].endswith("ended: stopped by SIGTERM; go on with --resume")
    assert runs(tmp_path)[0]["how_it_ended"] == "stopped by SIGTERM; go on with --resume"


@pytest.mark.parametrize("content", ["no JSON", "{}", "[1]"])
def test_runs_that_are_damaged_are_told(straight: Path, splits: Splits, tmp_path: Path, content: str) -> None:
    work_dir = Path(shutil.copytree(straight, tmp_path / "run"))
    (work_dir / "runs.json").write_text(content)
    with pytest.raises(
        TrainingError, match=r"runs.json (cannot be read|is damaged): .*; move it away, then go on with"
    ):
        train(TINY, *splits, work_dir, resume=True, overrides=RULES)


# The log


def test_the_log_has_what_was_said(straight: Path, splits: Splits) -> None:
    text = log(straight)
    assert "weights are random at the start" in text
    assert re.search(r"takes up to [\d.]+ MB more, and [\d.]+ [GT]B are free on its disk", text)
    assert re.search(r"epoch 1: loss [\d.]+ \(sdm [\d.]+, id [\d.]+, irr [\d.]+\), rate [\d.e-]+ \(", text)
    assert re.search(r"epoch 2: R1 [\d.]+, R5 [\d.]+", text)
    assert text.splitlines()[-1].endswith("ended: finished")


def test_the_log_has_warnings_and_what_was_said_before_there_was_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings(record=True) as shown, TrainLog() as train_log:
        logger.warning("before: %s", "one\ntwo\x1b[31m")
        train_log.write_to(tmp_path)
        warnings.warn("of a library", UserWarning, stacklevel=1)
        logger.warning("after")
    assert [str(warning.message) for warning in shown] == ["of a library"]
    logger.warning("later")
    lines = [line[20:] for line in log(tmp_path).splitlines()]
    assert lines[0] == r"before: one | two\x1b[31m"
    assert lines[1].startswith("UserWarning: of a library (test_trail.py:")
    assert lines[2:] == ["after"]


def test_the_beginning_of_a_line_goes_before_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text("2026-01-01 00:00:00 whole\n2026-01-01 00:00:00 cut o")
    with TrainLog() as train_log:
        train_log.write_to(tmp_path)
        train_log.line("new")
    assert [line[20:] for line in log(tmp_path).splitlines()] == ["whole", "new"]


def test_a_log_that_cannot_be_written_any_more_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with TrainLog() as train_log:
        train_log.write_to(tmp_path)
        (tmp_path / "train.log").symlink_to("/dev/full")
        for number in range(3):
            train_log.line(f"line {number}")
    (told,) = caplog.messages
    assert "train.log: cannot be written: No space left on device" in told
    assert told.endswith("(the training goes on, and what it says is no longer written down)")


# Rates, norms and curves


def test_the_history_has_rates_and_gradient_norms(straight: Path) -> None:
    rows = [row for row in history(straight) if "validation" not in row]
    for row in rows:
        rates = row["lr_by_rule"]
        assert row["lr"] == max(rates.values()) == rates["classifier"]
        assert rates["classifier"] == pytest.approx(5 * rates["base"], rel=1e-5)
        assert rates["bias"] == pytest.approx(2 * rates["base"], rel=1e-5)
        assert 0 < row["grad_norm"] <= row["grad_norm_largest"]


def test_norms_are_those_of_steps_that_changed_something() -> None:
    from tipr_zoo.training.loop.epoch_figures import EpochFigures

    figures = EpochFigures()
    for norm in (2.0, None, float("inf"), 4.0):
        figures.add({"loss": 1.0}, {"base": 0.1}, norm, 0.5)
    again = EpochFigures(json.loads(json.dumps(figures.state())))
    again.add({"loss": 6.0}, {"base": 0.3}, 9.0, 0.5)
    assert again.row(3) == {
        "epoch": 3,
        "loss": 2.0,
        "lr": 0.3,
        "grad_norm": 5.0,
        "grad_norm_largest": 9.0,
        "seconds": 2.5,
    }
    assert EpochFigures({"sums": {"loss": 1.0}, "steps": 1, "seconds": 1.0}).row(1)["lr"] == 0.0  # of older versions


def test_curves_that_cannot_be_drawn_are_told_and_the_training_goes_on(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "curves.png").symlink_to("/dev/full")
    train(TINY, *splits, tmp_path)
    assert caplog.text.count("curves.png: cannot be written: No space left on device") == 1
    assert (tmp_path / f"{TINY}.safetensors").is_file()


def test_where_epochs_are_short_not_every_one_is_drawn(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tipr_zoo.training.trail import curves_hook

    drawn: list[str] = []
    draw = curves_hook.draw_curves
    monkeypatch.setattr(curves_hook, "draw_curves", lambda title, panels: drawn.append(title) or draw(title, panels))
    monkeypatch.setattr(curves_hook, "LARGEST_SHARE", 1e-9)
    train(TINY, splits[0], None, tmp_path, overrides={"training.max_epochs": 4})
    assert drawn == [f"{TINY}, 1 epoch", f"{TINY}, 4 epochs"]
    drawn.clear()
    monkeypatch.setattr(curves_hook, "LARGEST_SHARE", 1e9)
    train(TINY, *splits, tmp_path / "again", overrides={"training.validate_every": 2})
    assert [title.partition(";")[0] for title in drawn] == [f"{TINY}, 1 epoch", f"{TINY}, 2 epochs"]


# The disk


@pytest.mark.parametrize(("free", "told"), [(1_000_000, "make room, or name another --work-dir"), (6_800_000, "close")])
def test_a_disk_that_is_too_small_is_told_before_the_training(
    tiny_zoo: Path,
    splits: Splits,
    tmp_path: Path,
    free: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(disk_use.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    if told == "close":
        train(TINY, *splits, tmp_path)
        assert "MB are free on its disk; that is close" in caplog.text
        return
    with pytest.raises(ConfigError, match=rf"takes up to [\d.]+ MB more, and 1.0 MB are free on its disk; {told}"):
        train(TINY, *splits, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_what_was_said_of_the_disk_holds(straight: Path, splits: Splits) -> None:
    said = re.search(r"takes up to ([\d.]+) MB", log(straight))
    assert said is not None
    taken = sum(path.stat().st_size for path in straight.iterdir())  # two epochs have two checkpoints
    assert taken < 1e6 * float(said[1]) < 1.3 * taken


OPTIMISERS = {
    "AdamW": ({}, 2),
    "Adam": ({"amsgrad": True}, 3),
    "SGD": ({"momentum": 0.9}, 1),
}


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_the_state_of_an_optimiser_is_known_before_its_first_step(kind: str) -> None:
    import torch

    parameter = torch.nn.Parameter(torch.zeros(100, 10))
    options, numbers = OPTIMISERS[kind]
    drawn = torch.random.get_rng_state()
    optimiser = getattr(torch.optim, kind)([parameter], lr=0.1, **options)
    before = disk_use.state_bytes(optimiser)
    assert before == numbers * 4000
    assert torch.equal(drawn, torch.random.get_rng_state())
    parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    assert before <= disk_use.state_bytes(optimiser) <= before + 8


# Several processes


@pytest.mark.slow
def test_several_processes_leave_one_trail(tiny_zoo: Path, synthpedes: Path, tmp_path: Path, free_port: int) -> None:
    import subprocess

    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port)]
    command = [sys.executable, *launcher, "-m", "tipr_zoo", *words(synthpedes, tmp_path / "run", "--tensorboard")]
    environment = {**os.environ, "PYTHONPATH": str(tiny_zoo.parents[1]), "OMP_NUM_THREADS": "1"}
    for more in ([], ["--resume", "--cfg-options", "training.max_epochs=3"]):
        subprocess.run([*command, *more], env=environment, check=True, capture_output=True, timeout=300)
    assert [run["processes"] for run in runs(tmp_path / "run")] == [2, 2]
    assert [row["epoch"] for row in history(tmp_path / "run")] == [1, 1, 2, 2, 3, 3]
    text = log(tmp_path / "run")
    for line in (*(f"epoch {epoch}: loss" for epoch in (1, 2, 3)), "begins, 2 processes", "goes on from epoch_2.pth"):
        assert text.count(line) == 1
    assert text.count("ended: finished") == 2
