"""`tipr-zoo eval --matrix`: every model on every data set, and a cell that fails costs only itself."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tipr_zoo.cards.record import DIRECTIONS
from tipr_zoo.command_line import main
from tipr_zoo.datasets import open_dataset
from tipr_zoo.evaluation.matrix import evaluate_matrix, open_columns
from tipr_zoo.evaluation.measuring import evaluate_and_record
from tipr_zoo.leaderboard.rows import leaderboard_rows
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.weights.tensors import read_weights, write_weights

TINY, TINY_PRETRAINED = "a_tiny_model", "a_tiny_pretrained_model"
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def other_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second data set: three test identities of another seed."""
    folder = tmp_path_factory.mktemp("data") / "other"
    draw_synthpedes(folder, seed=1, train=1, val=1, test=4, pictures=2, workers=1)
    return folder


@pytest.fixture
def chosen_on_test(tiny_zoo: Path, tmp_path: Path) -> Path:
    """Weights whose epoch was chosen on the test split, as their header says."""
    path = tmp_path / "chosen_on_test.safetensors"
    tensors = {name: tensor * 1.5 for name, tensor in read_weights(tiny_zoo / "tiny.safetensors").items()}
    write_weights(tensors, path, {"selected_on": "test", "seed": "7", "dataset": "CUHK-PEDES"})
    return path


def test_cells_are_the_single_evaluations(tiny_zoo: Path, synthpedes: Path, other_people: Path) -> None:
    columns = open_columns([synthpedes, other_people])
    assert [column.label for column in columns] == [
        "SynthPEDES seed 0, test 2, pictures 2",
        "SynthPEDES seed 1, test 4, pictures 2",
    ]
    matrix = evaluate_matrix([(TINY_PRETRAINED, None)], columns, device=CPU, directions=DIRECTIONS)
    for folder, cell in zip((synthpedes, other_people), matrix.cells[0], strict=True):
        dataset = open_dataset(str(folder), split="test")
        for direction in DIRECTIONS:
            alone = evaluate_and_record(TINY_PRETRAINED, dataset, device=CPU, direction=direction).record
            assert cell.records[direction].metrics == alone.metrics
            assert cell.records[direction].command == alone.command


def test_one_data_set_in_two_folders_makes_two_columns(synthpedes: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(synthpedes, tmp_path / "copy"))
    labels = [column.label for column in open_columns([synthpedes, copy])]
    assert labels == [f"SynthPEDES seed 0, test 2, pictures 2 ({folder})" for folder in ("synthpedes", "copy")]


def test_a_cell_that_fails_costs_only_itself(
    tiny_zoo: Path, synthpedes: Path, other_people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = Path(shutil.copytree(other_people, tmp_path / "damaged"))
    broken = open_dataset(str(damaged), split="test").pictures[1]
    broken.write_bytes(b"")
    words = ["eval", "--matrix", TINY, TINY_PRETRAINED, "--device", "cpu"]
    assert main([*words, "--data", str(damaged), str(tmp_path / "nowhere"), str(synthpedes)]) == 1
    printed = capsys.readouterr()
    title, _, header, _, without_weights, with_weights, *legend = printed.out.splitlines()
    assert title == "R1, test"
    assert header.split()[:3] == ["model", "trained", "on"]
    assert without_weights.split() == [TINY, "[1]", "[1]", "[1]"]
    *failed, figure = with_weights.split()
    assert failed == [TINY_PRETRAINED, "SynthPEDES", "[2]", "[3]"]
    assert 0 <= float(figure) <= 100
    assert legend[2].startswith(f"[1] no weights of {TINY} are published")
    assert legend[3].startswith(f"[2] {broken} is empty (0 bytes)")
    assert legend[4].startswith(f"[3] no folder at {tmp_path / 'nowhere'}")


def test_records_are_written_for_the_leaderboard(
    tiny_zoo: Path, synthpedes: Path, other_people: Path, tmp_path: Path
) -> None:
    words = ["eval", "--matrix", TINY_PRETRAINED, "--data", str(synthpedes), str(other_people), "--device", "cpu"]
    assert main([*words, "--records", str(tmp_path / "records"), "--direction", "both"]) == 0
    rows = [row for row in leaderboard_rows(records=tmp_path / "records") if row.model == TINY_PRETRAINED]
    assert [(row.dataset_arguments["seed"], row.direction) for row in rows] == [
        (seed, direction) for seed in (0, 1) for direction in DIRECTIONS
    ]


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints."""
    assert main(["eval", "--matrix", *words, "--device", "cpu"]) == 0
    return capsys.readouterr().out


def test_every_format_has_the_same_figures_and_marks_the_best_and_the_chosen_on_test(
    tiny_zoo: Path, other_people: Path, chosen_on_test: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [TINY_PRETRAINED, f"{TINY}={chosen_on_test}", "--data", str(other_people), "--metric", "mAP"]
    rows: list[Any] = json.loads(shown(capsys, *words, "--format", "json"))["rows"]
    figures = [row["cells"][0]["values"]["text-to-image"] for row in rows]
    assert figures[0] != figures[1]
    best = figures.index(max(figures))
    assert [(row["trained_on"], row["selected_on"]) for row in rows] == [("SynthPEDES", None), ("CUHK-PEDES", "test")]
    assert [row["cells"][0]["records"][0]["training_seed"] for row in rows] == [None, 7]

    text = shown(capsys, *words).splitlines()
    assert text[0] == "mAP, test"
    assert [line.split()[-1] for line in text[4:6]] == [
        f"{figure:.2f}" + "*" * (index == best) for index, figure in enumerate(figures)
    ]
    assert ["†" in line for line in text[4:6]] == [False, True]
    assert text[-1] == "† the epoch of these weights was chosen on the test split"

    markdown = shown(capsys, *words, "--format", "markdown").splitlines()
    assert markdown[0] == "### mAP, test"
    assert f"| **{figures[best]:.2f}** |" in markdown[4 + best]
    assert "chosen_on_test.safetensors) †" in markdown[5]

    table = list(csv.reader(io.StringIO(shown(capsys, *words, "--format", "csv"))))
    assert table[0][:4] == ["direction", "selected on", "model", "trained on"]
    assert [float(row[-1]) for row in table[1:]] == figures
    assert [row[1] for row in table[1:]] == ["", "test"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([TINY_PRETRAINED, "a_tiny_modle", "--data", "{data}"], "unknown model 'a_tiny_modle'; did you mean"),
        ([f"{TINY}=", "--data", "{data}"], f"{TINY}= names no weights; write {TINY}=FILE, or {TINY} for"),
        ([TINY, "--data", "{data}", "--weights", "w.pth"], "--weights cannot go with --matrix; name a model's weights"),
        ([TINY, "--data", "{data}", "--export", "e.npz"], "--export cannot go with --matrix"),
        ([TINY, "--data", "{data}", "--picture", "e.png"], "--picture cannot go with --matrix"),
        ([TINY, "--data", "{data}", "--metric", "R2"], "unknown value of --metric 'R2'"),
        (["--data", "{data}"], "name the model, and before the folders"),
        ([TINY], "--data is missing"),
    ],
)
def test_a_mistake_is_one_line(
    tiny_zoo: Path, synthpedes: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "--matrix", *(word.format(data=synthpedes) for word in words)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ")
    assert message in line
