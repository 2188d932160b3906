"""Ranking in two stages: against a plain transcription, in batches and blocks of any size, and what records say."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from pair_scoring_plugin import NONE, OWN_K, PAIRS, TOKENS, install

import tipr_zoo
from tipr_zoo.cards.record import METRICS, Record, read_record
from tipr_zoo.command_line import main
from tipr_zoo.comparison.record_comparison import compare_records
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.display.hits_picture import hits_rows
from tipr_zoo.errors import BrokenPromiseError, ConfigError, DataError, TiprZooError, WeightsError
from tipr_zoo.evaluation.embedding import evaluate
from tipr_zoo.evaluation.kept_queries import read_kept_queries
from tipr_zoo.evaluation.loaded_model import load_model
from tipr_zoo.evaluation.measuring import evaluate_and_record, measure
from tipr_zoo.evaluation.pair_scoring import PairBatches, PairScoring, score_candidates
from tipr_zoo.evaluation.preprocessed_pictures import PreprocessedPictures
from tipr_zoo.leaderboard.rows import leaderboard_rows
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.testing import check_retriever

Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with install(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def train_split(synthpedes: Path) -> PersonDataset:
    """12 pictures and 24 captions of 6 persons."""
    return open_dataset(str(synthpedes), split="train")


# A plain transcription


@torch.inference_mode()
def plain_scores(model: Any, dataset: PersonDataset) -> tuple[Floats, Floats]:
    """The cosine and the score of every caption with every picture, one pair after the other."""
    pictures = [model.preprocess(open_picture(path)).unsqueeze(0) for path in dataset.pictures]
    cosines, scores = (np.empty((len(dataset.captions), len(pictures))) for _ in range(2))
    for row, caption in enumerate(dataset.captions):
        ids = model.tokenize([caption])
        for column, picture in enumerate(pictures):
            cosines[row, column] = F.cosine_similarity(model.encode_text(ids), model.encode_image(picture)).item()
            scores[row, column] = model.score_pairs(ids, picture).item()
    return cosines, scores


def plain_figures(cosines: Floats, scores: Floats, dataset: PersonDataset, count: int, rest: str) -> dict[str, float]:
    """The figures of the best `count` by cosine in the order of their scores, the rest below; ties pessimistic."""
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for row, identity in enumerate(dataset.caption_ids):
        best = set(sorted(range(len(scores[row])), key=lambda column: -cosines[row, column])[:count])
        keys = [
            (1, scores[row, c]) if c in best else (0, cosines[row, c] if rest == "first_stage" else 0.0)
            for c in range(len(scores[row]))
        ]
        is_match = [other == identity for other in dataset.picture_ids]
        others = [key for key, match in zip(keys, is_match, strict=True) if not match]
        matches = sorted((key for key, match in zip(keys, is_match, strict=True) if match), reverse=True)
        ranks = [sum(other >= key for other in others) + place for place, key in enumerate(matches, start=1)]
        for k in (1, 5, 10):
            found[f"R{k}"].append(100.0 * (ranks[0] <= k))
        found["mAP"].append(100 * sum(j / rank for j, rank in enumerate(ranks, start=1)) / len(ranks))
        found["mINP"].append(100 * len(ranks) / ranks[-1])
    return {name: sum(values) / len(values) for name, values in found.items()}


@pytest.mark.parametrize("rest", ["first_stage", "tied"])
@pytest.mark.parametrize("count", [1, 3, 12])
@pytest.mark.parametrize("name", [PAIRS, TOKENS])
def test_figures_are_those_of_a_plain_transcription(
    train_split: PersonDataset, name: str, count: int, rest: str
) -> None:
    model = tipr_zoo.build(name, pretrained=True)
    expected = plain_figures(*plain_scores(model, train_split), train_split, count, rest)
    assert evaluate(model, train_split, rerank=count, rerank_rest=rest) == pytest.approx(expected, abs=1e-6)


def test_re_ranking_changes_the_figures_and_nothing_is_the_first_stage(train_split: PersonDataset) -> None:
    model = tipr_zoo.build(TOKENS, pretrained=True)
    first = evaluate(model, train_split)
    assert evaluate(model, train_split, rerank=0) == first
    assert evaluate(model, train_split, rerank=12) != first
    tied, kept = (evaluate(model, train_split, rerank=2, rerank_rest=rest) for rest in ("tied", "first_stage"))
    assert tied["R1"] == kept["R1"]
    assert tied["mAP"] < kept["mAP"]


def test_a_tie_among_scores_is_pessimistic(train_split: PersonDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tipr_zoo.build(PAIRS, pretrained=True)
    monkeypatch.setattr(type(model), "score_pairs", lambda self, ids, images: torch.full((len(ids),), 7.0))
    cosines, scores = plain_scores(model, train_split)
    assert (scores == 7).all()
    expected = plain_figures(cosines, scores, train_split, 5, "first_stage")
    assert evaluate(model, train_split, rerank=5) == pytest.approx(expected, abs=1e-6)
    assert evaluate(model, train_split, rerank=12)["R1"] == 0


BATCHES = [PairBatches(1, 1), PairBatches(3, 2), PairBatches(8, 64), PairBatches(5, 4, 400), PairBatches(2, 3, 1)]


@pytest.mark.parametrize("batches", BATCHES, ids=str)
@pytest.mark.parametrize("name", [PAIRS, TOKENS])
def test_scores_are_the_same_whatever_is_computed_at_once(
    train_split: PersonDataset, name: str, batches: PairBatches
) -> None:
    model: Any = tipr_zoo.build(name, pretrained=True)
    candidates = np.random.default_rng(0).permuted(np.tile(np.arange(12), (24, 1)), axis=1)[:, :5]
    pictures = PreprocessedPictures(train_split.pictures, model)
    found = score_candidates(PairScoring(model, train_split.captions, pictures, candidates, batches))
    expected = np.take_along_axis(plain_scores(model, train_split)[1], candidates, axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    tensors = [pictures[index] for index in range(12)]
    again = score_candidates(PairScoring(model, train_split.captions, tensors, candidates, batches))  # type: ignore[arg-type]
    np.testing.assert_array_equal(again, found)


def test_what_is_computed_once_is_computed_once(
    train_split: PersonDataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model: Any = tipr_zoo.build(TOKENS, pretrained=True)
    seen: dict[str, list[int]] = {"encode_picture_tokens": [], "encode_caption_tokens": []}
    longest: list[int] = []
    for name, counts in seen.items():
        encode = getattr(type(model), name)

        def counting(self: Any, given: Any, encode: Any = encode, counts: list[int] = counts) -> Any:
            counts.append(len(given))
            return encode(self, given)

        monkeypatch.setattr(type(model), name, counting)
    score = type(model).score_captions

    def watched(self: Any, ids: Any, caption_tokens: Any, picture_tokens: Any) -> Any:
        assert caption_tokens.shape[:2] == ids.shape
        assert (ids != 0).any(0).all(), "no column is padding alone"
        assert (caption_tokens[ids == 0] == 0).all()
        longest.append(len(ids))
        return score(self, ids, caption_tokens, picture_tokens)

    monkeypatch.setattr(type(model), "score_captions", watched)
    scoring = PairScoring(model, train_split.captions, PreprocessedPictures(train_split.pictures, model),
                          np.tile(np.arange(12), (24, 1)), PairBatches(5, 7), progress=True)  # fmt: skip
    score_candidates(scoring)
    assert sum(seen["encode_picture_tokens"]) == 12 + 1, "each once, and a blank to see how large tokens are"
    assert sum(seen["encode_caption_tokens"]) == 24 + 1
    assert max(seen["encode_picture_tokens"]) == 5
    assert max(longest) == 7
    (message,) = caplog.messages
    assert message.startswith("re-ranking 12 pictures a caption: 288 pairs; it holds 0 MiB of caption tokens and 0 MiB")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_pairs_get_the_precision_of_the_model(train_split: PersonDataset, dtype: torch.dtype) -> None:
    model: Any = tipr_zoo.build(TOKENS, pretrained=True)
    expected = plain_scores(model, train_split)[1]
    candidates = np.tile(np.arange(12), (24, 1))
    pictures = PreprocessedPictures(train_split.pictures, model)
    found = score_candidates(PairScoring(model.to(dtype), train_split.captions, pictures, candidates))
    np.testing.assert_allclose(found, expected, atol=0.2)


# Records, and what stands beside them


def evaluated(capsys: pytest.CaptureFixture[str], data: Path, name: str, *words: str) -> Any:
    assert main(["eval", name, "--data", str(data), "--device", "cpu", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("rest", [[], ["--rerank-rest", "tied"]])
def test_a_record_says_how_it_ranks_and_its_command_measures_it_again(
    synthpedes: Path, capsys: pytest.CaptureFixture[str], rest: list[str]
) -> None:
    record = evaluated(capsys, synthpedes, TOKENS, "--rerank", "3", *rest)
    assert (record["rerank"], record["rerank_rest"]) == (3, rest[-1] if rest else "first_stage")
    assert record["vectors"] == 1
    assert "the best 3 pictures of each caption are ranked again by the score of the pair" in record["protocol"]
    words = shlex.split(record["command"].replace("DIR", shlex.quote(str(synthpedes))))
    assert main([*words[1:], "--device", "cpu", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    differing = {key for key in record if record[key] != again[key]}
    assert differing <= {"from_cache", "duration_seconds", "date"}
    first = evaluated(capsys, synthpedes, TOKENS)
    assert not {"rerank", "rerank_rest", "postprocess", "transductive"} & set(first)
    assert "--rerank" not in first["command"]


def test_a_recipe_says_its_own_number_and_0_is_the_first_stage(
    synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = evaluated(capsys, synthpedes, OWN_K)
    assert own["rerank"] == 2
    assert own["metrics"] == evaluated(capsys, synthpedes, TOKENS, "--rerank", "2")["metrics"]
    first = evaluated(capsys, synthpedes, OWN_K, "--rerank", "0")
    assert "rerank" not in first
    assert first["command"].endswith("--rerank 0")
    assert first["metrics"] == evaluated(capsys, synthpedes, TOKENS)["metrics"]
    changed = evaluated(capsys, synthpedes, TOKENS, "--cfg-options", "evaluation.rerank=3")
    assert changed["rerank"] == 3
    assert evaluate_and_record(OWN_K, open_dataset(str(synthpedes)), device=torch.device("cpu")).record.rerank == 2


def test_more_than_there_are_is_told_once_and_is_all(
    synthpedes: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    record = evaluated(capsys, synthpedes, PAIRS, "--rerank", "128")
    assert record["rerank"] == 4
    told = [message for message in caplog.messages if "ranked again" in message]
    assert told == ["there are 4 pictures: all are ranked again, instead of the best 128"]


def test_of_both_directions_captions_are_not_ranked_again(synthpedes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forth, back = evaluated(capsys, synthpedes, OWN_K, "--direction", "both")
    assert forth["rerank"] == 2
    assert "rerank" not in back
    assert back["protocol"].endswith("the first stage alone, without the score of pairs")
    (alone,) = [evaluated(capsys, synthpedes, OWN_K, "--direction", "image-to-text")]
    assert alone["metrics"] == back["metrics"]


@pytest.fixture
def two_records(synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, Path]:
    """Folders with the first stage's records of both directions, and with those that rank again."""
    folders = tmp_path / "one", tmp_path / "two"
    for folder, words in zip(folders, ([], ["--rerank", "3"]), strict=True):
        evaluated(capsys, synthpedes, TOKENS, "--direction", "both", "--records", str(folder), *words)
    return folders


def _text_to_image(folder: Path) -> tuple[Path, Record]:
    return next((path, record) for path in folder.glob("*.json") if (record := read_record(path)).queries == 8)


def test_the_two_are_compared_and_kept_queries_are_of_the_final_order(two_records: tuple[Path, Path]) -> None:
    forth, back = compare_records(*two_records)
    assert (forth.first.rerank, forth.second.rerank) == (None, 3)
    assert [each.difference for each in forth.differences] != [0] * 5
    assert all(each.difference == 0 for each in back.differences)
    path, record = _text_to_image(two_records[1])
    metrics = read_kept_queries(record, path).figures.metrics()
    assert metrics == pytest.approx(record.metrics, abs=1e-3)


def test_records_in_one_folder_replace_nothing_and_the_leaderboard_says_how_each_ranks(
    two_records: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for path in two_records[1].iterdir():
        path.rename(two_records[0] / path.name)
    assert len(list(two_records[0].glob("*.json"))) == 3, "two of pictures, one of captions"
    with pytest.raises(TiprZooError, match="the folder holds 3 records"):
        compare_records(two_records[0], two_records[1])
    rows = [row for row in leaderboard_rows(records=two_records[0]) if row.model == TOKENS]
    assert sorted((row.direction, row.rerank) for row in rows) == [
        ("image-to-text", 0), ("text-to-image", 0), ("text-to-image", 3)
    ]  # fmt: skip
    assert not any(row.disagrees_on for row in rows)
    for format in ("text", "markdown", "latex", "html", "csv", "json"):
        assert main(["leaderboard", "--records", str(two_records[0]), "--format", format]) == 0
        shown = capsys.readouterr().out
        if format in ("csv", "json"):
            assert "rerank" in shown
        else:
            assert "1 vector, re-ranks 3" in shown
            assert "1 vector, re-ranks 128" in shown, "RaSa"


def test_a_headline_and_the_hits_are_those_of_the_final_order(
    synthpedes: Path, test_split: PersonDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", TOKENS, "--data", str(synthpedes), "--rerank", "4", "--device", "cpu"]) == 0
    assert f"{TOKENS} (re-ranks 4) on SynthPEDES test" in capsys.readouterr().out
    loaded = load_model(TOKENS, None, torch.device("cpu")).with_reranking(4, None)
    outcome = measure(loaded, test_split)[0]
    scores = plain_scores(loaded.model, test_split)[1]
    rows = hits_rows(outcome, 8, top=4)
    for before, after in zip(rows[::2], rows[1::2], strict=True):  # the first stage, and what it became
        pictures = [hit.picture for hit in before.hits]
        assert [pictures[hit.rank_before - 1] for hit in after.hits] == [hit.picture for hit in after.hits]
    for row, hits in zip(scores, rows[1::2], strict=True):
        assert [hit.score for hit in hits.hits] == pytest.approx(sorted(row, reverse=True), abs=1e-5)


def test_a_matrix_ranks_as_each_recipe_says_and_a_model_that_cannot_costs_its_cells(
    synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "--matrix", TOKENS, OWN_K, NONE, "--data", str(synthpedes), "--device", "cpu", "--json"]
    assert main(words) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["cells"][0]["records"][0].get("rerank") for row in rows] == [None, 2, None]
    assert main([*words, "--rerank", "3"]) == 1
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [[record.get("rerank") for record in row["cells"][0]["records"]] for row in rows] == [[3], [3], []]
    assert rows[2]["cells"][0]["problem"].startswith("NoPairs has no score of pairs (score_pairs)")
    assert main([*words, "--rerank-rest", "tied"]) == 1
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [bool(row["cells"][0]["problem"]) for row in rows] == [True, False, True]
    assert "add rerank K, or leave it out" in rows[0]["cells"][0]["problem"]


@pytest.mark.parametrize("form", ["text", "markdown", "csv"])
def test_a_table_says_which_rows_rank_again(synthpedes: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    words = ["eval", "--data", str(synthpedes), "--device", "cpu", "--format", form]
    matrix = [*words, "--direction", "both", "--matrix", TOKENS, OWN_K]
    assert main(matrix) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if TOKENS in line or OWN_K in line]
    assert ["re-ranks 2" in row for row in rows] == [False, True, False, False]
    assert sum("ranking" in line for line in lines) == 1
    assert main([*matrix, "--rerank", "0"]) == 0
    assert "ranking" not in capsys.readouterr().out
    assert main([*words, OWN_K, "--postprocess", "dual_softmax"]) == 0
    found = capsys.readouterr().out
    assert all(part in found for part in ("re-ranks 2", "post-processed by dual_softmax:scale=100.0, transductive"))


# Bad input


def test_a_model_without_a_score_is_told_those_that_have_one(test_split: PersonDataset) -> None:
    with pytest.raises(ConfigError) as raised:
        evaluate(tipr_zoo.build(NONE, pretrained=True), test_split, rerank=2)
    named = str(raised.value).rpartition("; ")[2].removesuffix(" have one").split(", ")
    assert {PAIRS, TOKENS, OWN_K, "rasa_vitb16_cuhk"} <= set(named)
    assert named == sorted(named)
    assert not {NONE, "irra_vitb16_cuhk"} & set(named)
    assert str(raised.value).startswith(
        "NoPairs has no score of pairs (score_pairs) to rank pictures again by; measure"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--rerank", "-1"],
            "rerank must be how many pictures of each caption are ranked again, a whole number from 1",
        ),
        (["--rerank", "two"], "argument --rerank: invalid int value: 'two'"),
        (["--rerank", "2", "--direction", "image-to-text"], "rerank 2 ranks the pictures of a caption again, and"),
        (
            ["--rerank-rest", "tied"],
            "rerank_rest 'tied' is the order of the pictures below those that are ranked again",
        ),
        (["--rerank-rest", "first_stage", "--rerank", "0"], "and none is; add rerank K, or leave it out"),
        (["--rerank-rest", "none"], "unknown value of --rerank-rest 'none'; known: first_stage, tied"),
        (["--cfg-options", "evaluation.rerank=-2"], "the recipe's evaluation: 'rerank' must be a whole number from 0"),
        (["--cfg-options", "evaluation.rerank=1.5"], "the recipe's evaluation: 'rerank' must be a whole number from 0"),
        (["--cfg-options", "evaluation.rerank_rest='tie'"], "'rerank_rest' must be 'first_stage' or 'tied', got 'tie'"),
        (["--cfg-options", "evaluation.rank=3"], "did you mean 'rerank'"),
        (["--cfg-options", "evaluation=5"], "the recipe's evaluation must be a dict, such as dict(rerank=128), got 5"),
    ],
)
def test_what_makes_no_sense_is_told_on_one_line(
    synthpedes: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", TOKENS, "--data", str(synthpedes), "--device", "cpu", *words]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert says in line


@pytest.mark.parametrize("count", [-1, 1.5, True, "3", None])
def test_a_number_that_is_none_is_told_in_python(test_split: PersonDataset, count: Any) -> None:
    with pytest.raises(ConfigError, match="rerank must be how many pictures of each caption"):
        evaluate(tipr_zoo.build(TOKENS, pretrained=True), test_split, rerank=count)


def _raise(error: Exception) -> Any:
    raise error


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "raises": (lambda n: _raise(KeyError("odd")), ConfigError, "failed: KeyError: 'odd'; mend it"),
    "out of memory": (lambda n: _raise(torch.OutOfMemoryError("CUDA out of memory")), torch.OutOfMemoryError, "memory"),
    "nan": (
        lambda n: torch.full((n,), torch.nan),
        WeightsError,
        "as nan, which is not finite; its weights are damaged",
    ),
    "inf": (lambda n: torch.full((n,), torch.inf), WeightsError, "as inf, which is not finite"),
    "two columns": (lambda n: torch.zeros(n, 2), ConfigError, "(#, 2) torch.float32; see Retrievers in docs"),
    "one too many": (lambda n: torch.zeros(n + 1), ConfigError, "as a (#,) tensor of floating-point numbers, got"),
    "whole numbers": (lambda n: torch.zeros(n, dtype=torch.int64), ConfigError, "got (#,) torch.int64"),
    "a list": (lambda n: [0.0] * n, ConfigError, "got a list"),
    "nothing": (lambda n: None, ConfigError, "got a NoneType"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("name", "method"), [(PAIRS, "score_pairs"), (TOKENS, "score_captions")])
def test_scores_that_are_none_are_told(
    test_split: PersonDataset, monkeypatch: pytest.MonkeyPatch, name: str, method: str, wrong: str
) -> None:
    model = tipr_zoo.build(name, pretrained=True)
    gives, error, says = WRONG[wrong]

    def score(self: Any, ids: Any, *others: Any) -> Any:
        return gives(len(ids))

    score.__name__ = method
    monkeypatch.setattr(type(model), method, score)
    with pytest.raises(error) as raised:
        evaluate(model, test_split, rerank=3)
    text = str(raised.value)
    assert says.replace("#", text.partition(" must score ")[2].partition(" ")[0]) in text
    assert "\n" not in text
    if isinstance(raised.value, ConfigError):
        assert text.startswith(f"{method} of {type(model).__name__}")
    if isinstance(raised.value, WeightsError):
        assert ".jpg with '" in text, "the pair is named"


@pytest.mark.parametrize("method", ["encode_picture_tokens", "encode_caption_tokens"])
@pytest.mark.parametrize(
    ("gives", "says"),
    [
        (lambda given: _raise(ValueError("odd")), "failed: ValueError: odd; mend it"),
        (lambda given: torch.zeros(len(given), 4), "tensor of floating-point numbers, got"),
        (lambda given: torch.zeros(len(given) + 1, given.shape[1], 4), "tensor of floating-point numbers, got"),
        (lambda given: torch.zeros(len(given), given.shape[1], 4, dtype=torch.int64), "torch.int64"),
    ],
)
def test_tokens_that_are_none_are_told(
    test_split: PersonDataset, monkeypatch: pytest.MonkeyPatch, method: str, gives: Any, says: str
) -> None:
    model = tipr_zoo.build(TOKENS, pretrained=True)

    def encode(self: Any, given: Any) -> Any:
        return gives(given)

    encode.__name__ = method
    monkeypatch.setattr(type(model), method, encode)
    with pytest.raises(ConfigError, match=rf"{method} of PairsByTokens .*{says}"):
        evaluate(model, test_split, rerank=3)


def test_a_picture_that_is_gone_between_the_stages_is_named(test_split: PersonDataset, tmp_path: Path) -> None:
    model: Any = tipr_zoo.build(TOKENS, pretrained=True)
    pictures = PreprocessedPictures([*test_split.pictures[:3], tmp_path / "gone.jpg"], model)
    with pytest.raises(DataError, match=r"gone\.jpg"):
        score_candidates(PairScoring(model, test_split.captions, pictures, np.tile(np.arange(4), (8, 1))))


@pytest.mark.parametrize("name", [PAIRS, TOKENS])
def test_a_check_tries_the_promises_of_both_kinds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = tipr_zoo.build(name, pretrained=True)
    check_retriever(model)
    if name == TOKENS:
        score = type(model).score_captions
        monkeypatch.setattr(type(model), "score_captions", lambda *given: 1.01 * score(*given))
        with pytest.raises(BrokenPromiseError, match="scores captions with one picture, by tokens without padding"):
            check_retriever(model)
    else:
        monkeypatch.setattr(type(model), "score_pairs", lambda self, ids, images: torch.zeros(len(ids), 1))
        with pytest.raises(BrokenPromiseError, match="scores pairs as finite"):
            check_retriever(model)


# Elsewhere


def test_a_search_ranks_the_best_again_and_the_others_follow(
    synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, text = synthpedes / "imgs" / "train", "a man in a red jacket"
    model: Any = tipr_zoo.build(TOKENS, pretrained=True)
    words = ["search", TOKENS, str(folder), text, "--top", "9", "--json", "--device", "cpu"]
    assert main(words) == 0
    before = json.loads(capsys.readouterr().out)
    assert "first_rank" not in before[0]
    assert main([*words, "--rerank", "5"]) == 0
    after = json.loads(capsys.readouterr().out)
    with torch.inference_mode():
        score = {
            hit["picture"]: model.score_pairs(
                model.tokenize([text]), model.preprocess(open_picture(Path(hit["picture"]))).unsqueeze(0)
            ).item()
            for hit in before
        }
    expected = sorted(before[:5], key=lambda hit: -score[hit["picture"]])
    assert [hit["picture"] for hit in after] == [hit["picture"] for hit in [*expected, *before[5:]]]
    assert [hit["rank"] for hit in after] == list(range(1, 10))
    assert [hit.get("first_rank") for hit in after] == [*(hit["rank"] for hit in expected), *[None] * 4]
    assert [hit["score"] for hit in after[:5]] == pytest.approx([score[hit["picture"]] for hit in expected], abs=1e-5)
    assert main([*words[:-3], "--device", "cpu", "--rerank", "99"]) == 0
    assert "before" in capsys.readouterr().out
    words[1] = NONE
    assert main([*words, "--rerank", "5"]) == 2
    assert "NoPairs has no score of pairs" in capsys.readouterr().err


def test_validation_ranks_again_and_a_model_that_cannot_is_told_before_the_first_epoch(
    splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    from tipr_zoo.training.train import train

    result = train(TOKENS, *splits, tmp_path / "a", overrides={"training.rerank": 3})
    model = tipr_zoo.build(TOKENS, weights=result.weights)
    assert result.validation == pytest.approx(evaluate(model, splits[1], rerank=3), abs=1e-3)
    with pytest.raises(ConfigError, match="NoPairs has no score of pairs"):
        train(NONE, *splits, tmp_path / "b", overrides={"training.rerank": 3})
    assert not list((tmp_path / "b").glob("epoch_*"))
    with pytest.raises(ConfigError, match=r"training.rerank must be a whole number from 0, got -1"):
        train(TOKENS, *splits, tmp_path / "c", overrides={"training.rerank": -1})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_it_can_be_stopped_in_the_middle(site: Path, synthpedes: Path) -> None:
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    code += "from tipr_zoo.command_line import main; sys.exit(main())"
    words = ["eval", PAIRS, "--data", str(synthpedes), "--split", "train", "--rerank", "12", "--device", "cpu"]
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, "TIPR_ZOO_TEST_SLOW": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, *words], text=True, env=env, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "scoring\n"
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert error.splitlines()[-1] == "interrupted"
    assert "Traceback" not in error


@pytest.mark.slow
@pytest.mark.parametrize("name", [PAIRS, TOKENS])
def test_two_processes_have_the_scores_of_one(
    site: Path, synthpedes: Path, tmp_path: Path, free_port: int, name: str
) -> None:
    script = tmp_path / "scores.py"
    script.write_text(SCORES)
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    run = f"-m torch.distributed.run --nproc-per-node 2 --master-port {free_port}".split()
    for count, start in ((1, []), (2, run)):
        words = [str(script), name, str(synthpedes), str(tmp_path / str(count))]
        done = subprocess.run([sys.executable, *start, *words], env=env, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
    one, first, second = (np.load(tmp_path / f"{file}.npz") for file in ("1_0", "2_0", "2_1"))
    for key in ("scores", "ranks"):
        np.testing.assert_array_equal(first[key], one[key])
        np.testing.assert_array_equal(second[key], one[key])


SCORES = """
import sys
import numpy as np
import torch
from tipr_zoo.datasets import open_dataset
from tipr_zoo.distributed import joined_processes, process_rank
from tipr_zoo.evaluation.loaded_model import load_model
from tipr_zoo.evaluation.measuring import measure

torch.set_num_threads(1)
with joined_processes(torch.device("cpu")):
    loaded = load_model(sys.argv[1], None, torch.device("cpu")).with_reranking(12, None)
    outcome = measure(loaded, open_dataset(sys.argv[2], split="train"), ["text-to-image"])[0]
    ranks = outcome.queries.figures.first_rank
    np.savez(f"{sys.argv[3]}_{process_rank()}.npz", scores=outcome.reranked.scores, ranks=ranks)
"""
