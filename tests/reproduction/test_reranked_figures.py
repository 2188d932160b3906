"""Reproducing a card of which some figures rank in two stages: each is measured as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pair_scoring_plugin import NONE, PAIRS, TOKENS, forget_what_is_installed, install, write_card

from tipr_zoo.cards.record import write_record
from tipr_zoo.command_line import main
from tipr_zoo.datasets import open_dataset
from tipr_zoo.evaluation.measuring import evaluate_and_record
from tipr_zoo.reproduction.reproduction import reproduce

RESULT = """
      - task: {{type: text-to-image-person-retrieval}}
        dataset: {{type: synthpedes, name: SynthPEDES, split: test, args: {{seed: 0, test: 2, pictures: 2}}}}
        metrics: [{{type: R5, value: 100.0}}]
        source: {{name: "{name}", url: "{url}"}}"""


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory: pytest.TempPathFactory, synthpedes: Path) -> Iterator[Path]:
    """`TOKENS` has figures of a paper, which ranked 2 pictures again, and two that were measured."""
    with install(tmp_path_factory.mktemp("site")) as site, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIPR_ZOO_HOME", str(site / "home"))
        results = RESULT.format(name="a paper", url="https://example.org/paper")
        for rerank in (0, 3):
            record = evaluate_and_record(
                TOKENS, open_dataset(str(synthpedes)), device=torch.device("cpu"), rerank=rerank
            ).record
            write_record(record, site / "pairing_package" / "model_cards" / "records" / f"{rerank}.json")
            results += RESULT.format(name=record.command, url=f"records/{rerank}.json")
        write_card(site, TOKENS, f"model-index:\n  - name: {TOKENS}\n    results:{results}\n")
        forget_what_is_installed()
        yield site


def test_each_figure_is_measured_as_it_was(synthpedes: Path, tmp_path: Path) -> None:
    found = reproduce(TOKENS, str(synthpedes), seeds=(0,), work_dir=tmp_path)
    assert [(each.rerank, each.origin) for each in found.comparisons] == [
        (2, "reported"),
        (0, "measured"),
        (3, "measured"),
    ]
    assert [record.rerank for record in found.records] == [2, None, 3]
    assert found.left_out == ()


@pytest.mark.parametrize(("rerank", "origin"), [(2, "reported"), (0, "measured"), (3, "measured")])
def test_those_that_rank_otherwise_are_left_out(
    synthpedes: Path, tmp_path: Path, rerank: int, origin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reproduce", TOKENS, "--data", str(synthpedes), "--seeds", "0", "--work-dir", str(tmp_path)]
    assert main([*words, "--rerank", str(rerank), "--device", "cpu", "--json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    assert [(each["rerank"], each["origin"]) for each in found["comparisons"]] == [(rerank, origin)]
    others = {"", ", re-ranks 2", ", re-ranks 3"} - {f", re-ranks {rerank}" if rerank else ""}
    assert {left_out.partition(")")[2] for left_out in found["left_out"]} == others
    assert main([*words, "--rerank", str(rerank), "--device", "cpu"]) in (0, 1)
    title = capsys.readouterr().out.partition("SynthPEDES, test, ")[2].partition("\n")[0]
    assert title.endswith(f", re-ranks {rerank}") if rerank else "re-ranks" not in title


def test_a_number_that_no_figure_has_is_measured_and_not_judged(synthpedes: Path, tmp_path: Path) -> None:
    found = reproduce(TOKENS, str(synthpedes), seeds=(0,), work_dir=tmp_path, rerank=1)
    assert found.is_reproduced is None
    assert {each.rerank for each in found.unjudged} == {1}


def test_a_card_without_figures_is_measured_as_its_recipe_says(synthpedes: Path, tmp_path: Path) -> None:
    overrides = {"evaluation.rerank": 4}
    found = reproduce(PAIRS, str(synthpedes), seeds=(0,), work_dir=tmp_path, overrides=overrides)
    assert {each.rerank for each in found.unjudged} == {4}


def test_a_wrong_number_is_told_before_anything_is_trained(
    synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reproduce", TOKENS, "--data", str(synthpedes), "--work-dir", str(tmp_path / "none"), "--rerank", "-2"]
    assert main(words) == 2
    assert "error: rerank must be how many pictures of each caption" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("words", [["--rerank", "2"], ["--cfg-options", "evaluation.rerank=2"]])
def test_a_model_without_a_score_is_told_before_anything_is_trained(
    synthpedes: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["reproduce", NONE, "--data", str(synthpedes), "--work-dir", str(tmp_path / "none"), *words]
    assert main(command) == 2
    assert "error: NoPairs has no score of pairs (score_pairs) to rank pictures again by" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
