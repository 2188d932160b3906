"""Reproducing a card: which trainings are made, how they go on, and what is said of the card's figures."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import signal
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from tipr_zoo.cards.index import card_index
from tipr_zoo.cards.record import read_record
from tipr_zoo.cards.record_files import queries_file
from tipr_zoo.cards.results import Result
from tipr_zoo.command_line import main
from tipr_zoo.datasets import open_dataset
from tipr_zoo.errors import ConfigError, TrainingError
from tipr_zoo.models.resolved_model import ResolvedModel
from tipr_zoo.reproduction import seed_training
from tipr_zoo.reproduction.figure_comparison import allowed_difference, compare
from tipr_zoo.reproduction.reproduction import Reproduction, reproduce
from tipr_zoo.reproduction.seed_figures import confidence_interval
from tipr_zoo.training.pairs.training_data import TrainingData
from tipr_zoo.weights.tensors import read_weights

TINY, TRUE, FALSE, DRAWN = "a_tiny_model", "a_true_model", "a_false_model", "a_drawn_model"

# The gallery of the tests has four pictures, so that R5 is 100 whatever was learnt.
FIGURES = {TRUE: {"R5": 100.0}, FALSE: {"R1": 50.0, "R5": 90.0}, DRAWN: {"R5": 100.0}}

DATA_SEEDS = {TRUE: [0], FALSE: [0], DRAWN: [3, 4]}

_RESULT = """
      - task: {{type: text-to-image-person-retrieval}}
        dataset: {{type: synthpedes, name: SynthPEDES, split: test, args: {{seed: {seed}, test: 2, pictures: 2}}}}
        metrics: {metrics}
        source: {{name: "Table 1 of a paper", url: "https://example.org/paper"}}"""

_CARD = """---
license: mit
datasets: [SynthPEDES]
tags: []
model-index:
  - name: {name}
    results:{results}
tipr_zoo:
  plugin: tiny
  config: tiny.py
  weights: null
  protocol: The epoch was chosen on the test split.
---
"""


@pytest.fixture(scope="module")
def zoo(tiny_zoo: Path) -> Path:
    """The zoo with models that have figures; gives the folder that the plugin is installed in."""
    for name, figures in FIGURES.items():
        metrics = json.dumps([{"type": metric, "value": value} for metric, value in figures.items()])
        results = "".join(_RESULT.format(seed=seed, metrics=metrics) for seed in DATA_SEEDS[name])
        (tiny_zoo / f"{name}.md").write_text(_CARD.format(name=name, results=results))
    card_index.cache_clear()
    return tiny_zoo.parent.parent


@pytest.fixture(scope="module")
def finished(zoo: Path, synthpedes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Reproduction, Path]:
    """The true card, reproduced with two seeds; and the work dir, not to be changed."""
    work_dir = tmp_path_factory.mktemp("finished")
    return reproduce(TRUE, str(synthpedes), seeds=(0, 1), work_dir=work_dir), work_dir


@pytest.fixture
def work_dir(finished: tuple[Reproduction, Path], tmp_path: Path) -> Path:
    """A copy of that work dir."""
    return Path(shutil.copytree(finished[1], tmp_path / "work"))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Seed of every training that is begun, and whether it was resumed."""
    calls, train = [], seed_training.train_resolved

    def noting(resolved: ResolvedModel, *arguments: Any, **options: Any) -> Any:
        calls.append((resolved.overrides["training.seed"], options["resume"]))
        return train(resolved, *arguments, **options)

    monkeypatch.setattr(seed_training, "train_resolved", noting)
    return calls


def run(*words: object) -> int:
    return main(["reproduce", *map(str, words), "--device", "cpu"])


def same_weights(one: Path, other: Path) -> bool:
    first, second = read_weights(one), read_weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# Trainings


def test_every_seed_is_one_training_of_the_whole_recipe(finished: tuple[Reproduction, Path]) -> None:
    reproduction, work_dir = finished
    assert [training.weights for training in reproduction.trainings] == [
        work_dir / f"seed{seed}" / f"{TRUE}.safetensors" for seed in (0, 1)
    ]
    assert [(training.epochs, training.max_epochs) for training in reproduction.trainings] == [(2, 2), (2, 2)]
    assert not same_weights(*(training.weights for training in reproduction.trainings))


def test_the_same_seeds_give_the_same_weights(
    finished: tuple[Reproduction, Path], synthpedes: Path, tmp_path: Path
) -> None:
    again = reproduce(TRUE, str(synthpedes), seeds=(1,), work_dir=tmp_path / "again")
    assert same_weights(again.trainings[0].weights, finished[0].trainings[1].weights)


def test_finished_trainings_are_kept_and_further_seeds_added(
    finished: tuple[Reproduction, Path], work_dir: Path, synthpedes: Path, trained: list[Any], caplog: Any
) -> None:
    options = {"training.num_workers": 1}  # changes no figure
    again = reproduce(TRUE, str(synthpedes), seeds=(0, 1), work_dir=work_dir, overrides=options)
    assert trained == []
    assert "seed 1: trained already, not trained again" in caplog.text
    assert again.comparisons == finished[0].comparisons
    assert again.recipe_changes == ()
    reproduce(TRUE, str(synthpedes), seeds=(0, 2), work_dir=work_dir)
    assert trained == [(2, False)]


@pytest.mark.parametrize("is_removed", [True, False])
def test_weights_that_are_gone_or_others_are_made_again_from_the_last_checkpoint(
    is_removed: bool, finished: tuple[Reproduction, Path], work_dir: Path, synthpedes: Path, trained: list[Any]
) -> None:
    weights = work_dir / "seed1" / f"{TRUE}.safetensors"
    weights.unlink() if is_removed else weights.write_bytes(b"damaged")
    reproduce(TRUE, str(synthpedes), seeds=(0, 1), work_dir=work_dir)
    assert trained == [(1, True)]
    assert same_weights(weights, finished[0].trainings[1].weights)


def test_an_interrupted_run_goes_on_where_it_was(
    finished: tuple[Reproduction, Path],
    synthpedes: Path,
    tmp_path: Path,
    trained: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train = seed_training.train_resolved

    def interrupted(resolved: ResolvedModel, *arguments: Any, **options: Any) -> Any:
        if resolved.overrides["training.seed"] == 0:
            return train(resolved, *arguments, **options)
        train(resolved, *arguments, **{**options, "max_minutes": 0.0})  # one of its two epochs
        raise KeyboardInterrupt

    words = [TRUE, "--data", synthpedes, "--work-dir", tmp_path / "work", "--seeds", "0", "1", "2"]
    with monkeypatch.context() as patch:
        patch.setattr(seed_training, "train_resolved", interrupted)
        assert run(*words) == 130
    assert "the same command goes on where it was" in capsys.readouterr().err
    assert trained == [(0, False), (1, False)]
    assert run(*words) == 0
    assert trained[2:] == [(1, True), (2, False)]
    for training in finished[0].trainings:
        assert same_weights(training.weights, tmp_path / "work" / f"seed{training.seed}" / training.weights.name)


def test_a_training_that_ran_out_of_time_is_told_and_goes_on_the_next_time(
    zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [TRUE, "--data", synthpedes, "--work-dir", tmp_path / "work", "--seeds", "0", "1"]
    run(*words, "--max-minutes", "0")
    text = capsys.readouterr().out
    assert "stopped early: seed 0, after 1 of 2 epochs\nstopped early: seed 1, after 1 of 2 epochs" in text
    run(*words)
    assert "stopped early" not in capsys.readouterr().out


def test_several_trainings_at_a_time_come_out_as_one_after_the_other(
    finished: tuple[Reproduction, Path],
    zoo: Path,
    synthpedes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(zoo))
    options: dict[str, Any] = {"seeds": (0, 1), "work_dir": tmp_path / "work", "jobs": 2}
    beside = reproduce(TRUE, str(synthpedes), **options)
    assert beside.trainings[1].epochs == 2
    assert (tmp_path / "work" / "seed0" / "log.txt").is_file()
    for comparison, alone in zip(beside.comparisons, finished[0].comparisons, strict=True):
        assert comparison.by_seed == pytest.approx(alone.by_seed)


def pretended_python(file: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings in processes of their own run this shell script instead."""
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(file))


def test_where_one_of_several_trainings_fails_no_further_one_is_begun(
    zoo: Path, synthpedes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended_python(tmp_path / "python", "echo 'error: the disk is full' >&2; exit 2", monkeypatch)
    with pytest.raises(TrainingError, match=r"the training with seed \d failed: the disk is full; .*log\.txt"):
        reproduce(TRUE, str(synthpedes), seeds=(0, 1, 2), work_dir=tmp_path / "work", jobs=2)
    assert not (tmp_path / "work" / "seed2").exists()


@pytest.mark.parametrize(
    ("named", "given"), [(None, ["GPU 0", "GPU 1", "GPU 0"]), ("5,7,9", ["GPU 5", "GPU 7", "GPU 9"])]
)
def test_trainings_beside_each_other_take_turns_with_the_gpus(
    named: str | None,
    given: list[str],
    zoo: Path,
    synthpedes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named) if named else monkeypatch.delenv(
        "CUDA_VISIBLE_DEVICES", raising=False
    )
    pretended_python(tmp_path / "python", 'echo "GPU $CUDA_VISIBLE_DEVICES"; exit 2', monkeypatch)
    with pytest.raises(TrainingError, match="GPU"):
        reproduce(TRUE, str(synthpedes), seeds=(0, 1, 2), work_dir=tmp_path / "work", jobs=3, device="cuda")
    assert [(tmp_path / "work" / f"seed{seed}" / "log.txt").read_text().strip() for seed in range(3)] == given


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_several_trainings_ends_all_of_them_and_begins_no_further_one(
    number: signal.Signals,
    zoo: Path,
    synthpedes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    def sent(seconds: float) -> None:
        if all((tmp_path / "work" / f"seed{seed}" / "log.txt").read_text() for seed in (0, 1)):
            signal.raise_signal(number)

    if number == signal.SIGINT:  # a shell may have it ignored for what it starts in the background
        request.addfinalizer(partial(signal.signal, number, signal.signal(number, signal.default_int_handler)))
    pretended_python(tmp_path / "python", "trap 'echo ended; exit 143' TERM; echo begun; sleep 60 & wait", monkeypatch)
    monkeypatch.setattr(seed_training.time, "sleep", sent)
    words = [TRUE, "--data", synthpedes, "--work-dir", tmp_path / "work", "--seeds", "0", "1", "2", "--jobs", "2"]
    assert run(*words) == 128 + number
    logs = {file.parent.name: file.read_text() for file in tmp_path.glob("work/*/log.txt")}
    assert logs == {"seed0": "begun\nended\n", "seed1": "begun\nended\n"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training.max_epochs": 3}, r"seed0 holds a training with training\.max_epochs 2, not 3; name another"),
        ({"model.heads.irr": None}, r"seed0 holds a training with model\.heads\.irr\..* not None"),
    ],
)
def test_a_training_of_another_recipe_is_neither_resumed_nor_overwritten(
    change: dict[str, Any], message: str, work_dir: Path, synthpedes: Path, trained: list[Any]
) -> None:
    with pytest.raises(ConfigError, match=message):
        reproduce(TRUE, str(synthpedes), seeds=(2, 0), work_dir=work_dir, overrides=change)
    assert trained == []


def test_a_training_on_other_data_is_neither_resumed_nor_overwritten(
    work_dir: Path, synthpedes: Path, tmp_path: Path, trained: list[Any]
) -> None:
    data = Path(shutil.copytree(synthpedes, tmp_path / "data"))
    annotations = data / "reid_raw.json"
    annotations.write_text(annotations.read_text() + "\n")
    with pytest.raises(ConfigError, match="holds a training with dataset_sha256"):
        reproduce(TRUE, str(data), seeds=(0, 1), work_dir=work_dir)
    with pytest.raises(ConfigError, match="holds a training with select_on 'val', not 'test'"):
        reproduce(TRUE, str(synthpedes), seeds=(0, 1), work_dir=work_dir, select_on="test")
    assert trained == []


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("notes.txt", "mine", "seed0 holds something else than a training"),
        ("reproduction.json", "{", r"reproduction\.json is broken"),
        ("reproduction.json", '{"training": {}}', r"reproduction\.json is broken"),
    ],
)
def test_a_folder_with_something_else_is_told(
    file: str, text: str, message: str, zoo: Path, synthpedes: Path, tmp_path: Path
) -> None:
    (tmp_path / "seed0").mkdir()
    (tmp_path / "seed0" / file).write_text(text)
    with pytest.raises(ConfigError, match=message):
        reproduce(TRUE, str(synthpedes), work_dir=tmp_path)


# Figures


def test_a_true_card_is_reproduced(
    work_dir: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [TRUE, "--data", synthpedes, "--work-dir", work_dir, "--seeds", "0", "1"]
    assert run(*words, "--records", tmp_path / "records") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{TRUE}, seeds 0, 1: from random weights, epochs chosen on the val split\n")
    assert "\nSynthPEDES, test, pictures 2, seed 0, test 2\n" in text
    (line,) = [line for line in text.splitlines() if line.startswith("R5 ")]
    assert " ".join(line.split()) == "R5 100.00 reported 100.00 ± 0.00 +0.00 0.01 within Table 1 of a paper"
    assert "Student's 95 % prediction interval" in text
    assert (
        "Reported figures need not follow the protocol used here (epochs chosen on the val split). The card says of its"
        " figures: The epoch was chosen on the test split." in text
    )
    assert text.endswith("Reproduced: 1 of 1 figures are within.\n")
    assert all(queries_file(path).is_file() for path in (tmp_path / "records").glob("*.json"))
    records = [read_record(path) for path in (tmp_path / "records").glob("*.json")]
    assert {(record.model, record.dataset, record.split) for record in records} == {(TRUE, "SynthPEDES", "test")}
    assert len({record.weights_sha256 for record in records}) == 2


def test_a_false_card_is_not_reproduced(
    zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [FALSE, "--data", synthpedes, "--work-dir", tmp_path, "--seeds", "0", "1"]
    assert run(*words) == 1
    text = capsys.readouterr().out
    assert "above by 10.00" in text
    assert "Not reproduced: " in text
    assert run(*words, "--format", "csv") == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["metric"], row["card"], row["origin"]) for row in rows] == [
        ("R1", "50.0", "reported"),
        ("R5", "90.0", "reported"),
    ]
    assert (float(rows[1]["seed 1"]), float(rows[1]["difference"])) == (100.0, 10.0)
    assert run(*words, "--format", "markdown") == 1
    assert "| R5 | 90.00 | reported | 100.00 ± 0.00 | +10.00 |" in capsys.readouterr().out


def test_json_holds_everything(work_dir: Path, synthpedes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [TRUE, "--data", synthpedes, "--work-dir", work_dir, "--seeds", "0", "1", "--json"]
    assert run(*words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reproduced"] is True
    assert (found["selected_on"], found["started_from"], found["recipe_changes"]) == ("val", None, [])
    assert found["data_changes"] == ["pictures: 2 instead of the usual", "train: 6 instead of 3000"]
    assert [training["seed"] for training in found["trainings"]] == [0, 1]
    assert [record["metrics"]["R5"] for record in found["records"]] == [100.0, 100.0]
    (comparison,) = found["comparisons"]
    assert comparison["by_seed"] == {"0": 100.0, "1": 100.0}
    assert (comparison["mean"], comparison["spread"], comparison["verdict"]) == (100.0, 0.0, "within")


def test_one_seed_has_no_spread_and_judges_nothing(
    work_dir: Path, synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(TRUE, "--data", synthpedes, "--work-dir", work_dir, "--seeds", "1") == 1
    text = capsys.readouterr().out
    assert "One seed has no spread" in text
    assert "±" not in text
    assert "Student" not in text
    assert text.endswith("Not shown to be reproduced: with one seed nothing is judged.\n")


def test_a_changed_recipe_and_epochs_chosen_on_test_are_told(
    zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [TRUE, "--data", synthpedes, "--work-dir", tmp_path, "--seeds", "0", "1", "--select-on", "test"]
    run(*words, "--cfg-options", "training.max_epochs=1", "training.batch_size=8", "model.heads.irr=None")
    text = capsys.readouterr().out
    assert "epochs chosen on the test split\n" in text
    assert "Epochs chosen on the test split make the figures on it a little too good." in text
    assert "\nother training data than the recipe's: train: 6 instead of 3000\n" in text
    assert "\nrecipe changed: training.max_epochs: 1 instead of 2\nrecipe changed: model.heads.irr: None" in text
    assert "batch_size" not in text  # is 8 in the recipe


def test_without_data_the_test_sets_of_the_card_are_drawn(
    zoo: Path, synthpedes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def drawn(resolved: ResolvedModel, root: str | None, *_: Any, **__: Any) -> TrainingData:
        assert root is None
        return TrainingData(*(open_dataset(str(synthpedes), split=split) for split in ("train", "val")))

    monkeypatch.setattr("tipr_zoo.reproduction.reproduction.open_training_data", drawn)
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "cache"))
    assert run(DRAWN, "--work-dir", tmp_path / "work", "--seeds", "0", "1") == 0
    text = capsys.readouterr().out
    assert "\nSynthPEDES, test, pictures 2, seed 3, test 2\n" in text
    assert "\nSynthPEDES, test, pictures 2, seed 4, test 2\n" in text
    assert "Reproduced: 2 of 2 figures are within." in text
    assert len(list((tmp_path / "cache" / "data").iterdir())) == 2


def test_what_was_not_measured_is_told(zoo: Path, tmp_path: Path) -> None:
    from tipr_zoo.synthpedes import draw_synthpedes

    draw_synthpedes(tmp_path / "data", seed=3, train=6, val=2, test=2, pictures=2, workers=1)
    reproduction = reproduce(DRAWN, str(tmp_path / "data"), seeds=(0,), work_dir=tmp_path / "work")
    assert [comparison.dataset_arguments["seed"] for comparison in reproduction.comparisons] == [3]
    assert reproduction.left_out == ("SynthPEDES test (pictures 2, seed 4, test 2)",)


@pytest.mark.parametrize(
    ("figure", "values", "verdict"),
    [
        (70.0, [69.0, 70.0, 72.0], "within"),
        (70.0, [60.0, 60.5, 61.0], "below by 9.50"),
        (70.0, [75.0, 75.1, 75.2, 75.1], "above by 5.10"),
        (70.004, [70.0, 70.0], "within"),  # cards round
        (70.02, [70.0, 70.0], "below by 0.02"),
        (70.0, [70.0], "one seed"),
    ],
)
def test_a_figure_is_within_where_one_more_training_might_end(figure: float, values: list[float], verdict: str) -> None:
    result = Result("m", "CUHK-PEDES", "test", {}, {"R1": figure}, "a paper", "https://example.org", "reported")
    (comparison,) = compare(result, {seed: {"R1": value, "mINP": 1.0} for seed, value in enumerate(values)})
    assert comparison.verdict == verdict
    assert comparison.difference == pytest.approx(sum(values) / len(values) - figure)
    assert (comparison.spread is None) == (comparison.allowed is None) == (len(values) == 1)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10, 40])
def test_of_figures_that_do_reproduce_nineteen_in_twenty_are_within(seeds: int) -> None:
    chance, trials, within = random.Random(seeds), 4000, 0
    for _ in range(trials):
        *values, figure = (chance.gauss(70, 1) for _ in range(seeds + 1))
        allowed = allowed_difference(values)
        assert allowed is not None
        within += abs(sum(values) / seeds - figure) <= allowed
    assert within / trials == pytest.approx(0.95, abs=0.012)


# Models and data without figures


def no_verdict(text: str) -> bool:
    return not any(word in text for word in ("within", "below by", "above by", "eproduced", "verdict  "))


def test_a_model_without_figures_gets_mean_deviation_and_interval_and_no_verdict(
    zoo: Path,
    synthpedes: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [TINY, "--data", synthpedes, "--work-dir", tmp_path / "work", "--seeds", "0", "1"]
    assert run(*words, "--records", tmp_path / "records") == 0
    text = capsys.readouterr().out
    assert "the card of a_tiny_model has no figures on SynthPEDES test (pictures 2, seed 0, test 2)" in caplog.text
    assert no_verdict(text)
    assert "\nSynthPEDES, test, pictures 2, seed 0, test 2\n" in text
    assert text.endswith("No verdict: the card has no figures on this data.\n")
    assert run(*words, "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["metric"] for row in rows] == ["R1", "R5", "R10", "mAP", "mINP"]
    records = {read.training_seed: read for read in map(read_record, (tmp_path / "records").glob("*.json"))}
    for row in rows:
        values = [float(row[f"seed {seed}"]) for seed in (0, 1)]
        assert values == [records[seed].metrics[row["metric"]] for seed in (0, 1)]
        assert float(row["mean"]) == pytest.approx(statistics.fmean(values))
        assert float(row["spread"]) == pytest.approx(statistics.stdev(values))
        half = 12.706 * statistics.stdev(values) / 2**0.5
        assert float(row["interval_from"]) == pytest.approx(max(0, statistics.fmean(values) - half))
        assert float(row["interval_to"]) == pytest.approx(min(100, statistics.fmean(values) + half))
    (line,) = [line for line in text.splitlines() if line.startswith("mAP ")]
    row = rows[3]
    ends = f"{float(row['interval_from']):.2f} to {float(row['interval_to']):.2f}"
    assert line.split(maxsplit=3)[1:] == [f"{float(row['mean']):.2f}", f"{float(row['spread']):.2f}", ends]
    assert run(*words, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["reproduced"], found["comparisons"]) == (None, [])
    assert [figure["metric"] for figure in found["unjudged"]] == ["R1", "R5", "R10", "mAP", "mINP"]


def test_one_seed_without_figures_has_no_deviation_and_says_so(
    zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [TINY, "--data", synthpedes, "--work-dir", tmp_path, "--seeds", "0"]
    assert run(*words) == 0
    text = capsys.readouterr().out
    assert "One seed has no standard deviation and no confidence interval; name several with --seeds." in text
    assert "95 % interval" not in text
    assert no_verdict(text)
    assert run(*words, "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {(row["spread"], row["interval_from"], row["interval_to"]) for row in rows} == {("", "", "")}
    assert run(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["unjudged"][0]["interval"] is None


def test_other_data_than_the_card_s_are_measured_and_not_judged(
    zoo: Path,
    synthpedes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(zoo))
    own = tmp_path / "own"
    shutil.copytree(synthpedes / "imgs", own / "imgs")
    entries = json.loads((synthpedes / "reid_raw.json").read_text())
    rows = [(e["file_path"], e["id"], caption, e["split"]) for e in entries for caption in e["captions"]]
    for name in ("people.csv", "others.csv"):
        with (own / name).open("w", newline="") as file:
            csv.writer(file).writerows([("image", "identity", "caption", "split"), *rows])
    words = [TRUE, "--data", own / "people.csv", "--work-dir", tmp_path / "work", "--seeds", "0", "1", "--jobs", "2"]
    assert run(*words) == 0
    text = capsys.readouterr().out
    assert "it has some on SynthPEDES test (pictures 2, seed 0, test 2): mean, deviation" in caplog.text
    assert no_verdict(text)
    assert "\ncustom, test, file people.csv, sha256 " in text
    assert "Not measured, though the card has figures: SynthPEDES test (pictures 2, seed 0, test 2)" in text


def test_the_interval_holds_the_mean_nineteen_times_in_twenty() -> None:
    chance, trials, held = random.Random(0), 4000, 0
    for _ in range(trials):
        interval = confidence_interval([chance.gauss(70, 1) for _ in range(3)])
        assert interval is not None
        held += interval[0] <= 70 <= interval[1]
    assert held / trials == pytest.approx(0.95, abs=0.012)


def test_data_with_nothing_to_measure_on_are_told_before_anything_is_trained(
    zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tipr_zoo.synthpedes import draw_synthpedes

    draw_synthpedes(tmp_path / "data", train=6, pictures=2, splits=("train",), workers=1)
    assert run(TINY, "--data", tmp_path / "data", "--work-dir", tmp_path / "work") == 2
    assert "has neither a test nor a val split, so there is nothing to measure on" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


# Mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a_true_modle"], "unknown model 'a_true_modle'; did you mean 'a_true_model'"),
        ([TRUE, "--seeds", "-1"], "a seed must be a whole number from 0, got -1"),
        ([TRUE, "--seeds", "0", "1", "0"], "seed 0 is named more than once"),
        ([TRUE, "--seeds", "one"], "argument --seeds: invalid int value: 'one'"),
        ([TRUE, "--jobs", "0"], "the number of jobs must be at least 1, got 0"),
        ([TRUE, "--workers", "-1"], "the number of workers must be at least 0, got -1"),
        ([TRUE, "--max-minutes", "nan"], "the time limit must be a number of minutes from 0, got nan"),
        ([TRUE, "--select-on", "vla"], "unknown value of --select-on 'vla'; did you mean 'val'?"),
        ([TRUE, "--cfg-options", "training.seed=1"], "training.seed is set for each training; name the seeds with"),
        ([TRUE, "--cfg-options", "training.sede=1"], "unknown recipe entry 'training.sede'"),
        ([TRUE, "--weights", "no/such/file.pt"], "weights no/such/file.pt do not exist"),
        (["irra_vitb16_cuhk"], "irra_vitb16_cuhk is trained on CUHK-PEDES, which cannot be drawn; pass --data DIR"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    words: list[str], message: str, zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words, "--work-dir", tmp_path) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_recipe_is_read_once_whatever_the_overrides_and_the_seeds(
    zoo: Path, synthpedes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    fromfile = Config.fromfile

    def noting(path: Path, *arguments: Any, **options: Any) -> Config:
        read.append(path)
        return fromfile(path, *arguments, **options)

    monkeypatch.setattr(Config, "fromfile", noting)
    overrides = {"training.max_epochs": 1, "training.batch_size": 4, "training.clip_gradient_norm": 1.0}
    reproduction = reproduce(TRUE, str(synthpedes), seeds=(0, 1), work_dir=tmp_path, overrides=overrides)
    assert len(reproduction.recipe_changes) == len(overrides)
    assert len(read) == 1
