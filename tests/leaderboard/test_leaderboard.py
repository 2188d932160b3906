"""The leaderboard: every figure with its source, reported and measured told apart."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tipr_zoo.cards.index import card_index
from tipr_zoo.cards.record import METRICS, Record, read_record, write_record
from tipr_zoo.cards.record_files import record_file_name
from tipr_zoo.command_line import main
from tipr_zoo.commands.leaderboard import render
from tipr_zoo.errors import RecordError, UnknownNameError
from tipr_zoo.leaderboard.filter import LeaderboardFilter
from tipr_zoo.leaderboard.folding import entries, with_conflicts, with_sources_together
from tipr_zoo.leaderboard.marks import epoch, marked_model
from tipr_zoo.leaderboard.ranks import figure_ranks
from tipr_zoo.leaderboard.row import LeaderboardRow, comparison_group, section_order
from tipr_zoo.leaderboard.rows import leaderboard_rows
from tipr_zoo.leaderboard.text import markdown_leaderboard


def record(**change: Any) -> Record:
    """A record of an evaluation on CUHK-PEDES."""
    values: dict[str, Any] = {
        "model": "my_model",
        "dataset": "CUHK-PEDES",
        "split": "test",
        "dataset_arguments": {},
        "direction": "text-to-image",
        "metrics": {"R1": 99.5, "R5": 99.6, "R10": 99.75, "mAP": 90.0, "mINP": 80.0},
        "queries": 6156,
        "gallery": 3074,
        "identities": 1000,
        "overrides": {},
        "weights_sha256": "0" * 64,
        "training_seed": 3,
        "selected_on": "val",
        "dataset_sha256": "1" * 64,
        "pictures_sha256": "2" * 64,
        "tipr_zoo_version": "0.1.0",
        "command": "tipr-zoo eval my_model --data DIR",
        "seed": 0,
        "date": "2025-01-31T12:00:00",
        "duration_seconds": 12.5,
        "from_cache": ("captions",),
        "device": "cpu, 2 threads",
        "protocol": "all captions and pictures of the split",
    }
    return Record(**{**values, **change})


def test_reported_rows_carry_their_source_and_no_date() -> None:
    rows = {row.model: row for row in leaderboard_rows("cuhk-pedes") if not row.is_further}
    irra = rows["irra_vitb16_cuhk"]
    assert irra.metrics == {"R1": 73.38, "R5": 89.93, "R10": 93.71, "mAP": 66.13, "mINP": 50.24}
    assert (irra.origin, irra.date, irra.source_url) == ("reported", None, "https://github.com/anosorae/IRRA")
    assert "mINP" not in rows["fmfa_vitb16_cuhk"].metrics


def test_a_record_is_a_measured_row_with_date_and_command(tmp_path: Path) -> None:
    write_record(record(), tmp_path / "mine.json")
    row = leaderboard_rows("CUHK-PEDES", records=tmp_path)[0]
    assert (row.model, row.origin, row.date) == ("my_model", "measured", "2025-01-31T12:00:00")
    assert row.source == "tipr-zoo eval my_model --data DIR"
    assert row.source_url == str(tmp_path / "mine.json")


@pytest.mark.parametrize(
    ("change", "is_repeated"),
    [
        ({}, True),
        ({"weights_sha256": "f" * 64}, False),
        ({"gallery": 8}, False),
        ({"overrides": {"model.neck": None}}, False),
        ({"direction": "image-to-text"}, False),
        ({"split": "val"}, False),
    ],
)
def test_a_card_s_measurement_that_was_repeated_is_shown_once_as_it_came_out_here(
    tmp_path: Path, change: dict[str, Any], is_repeated: bool
) -> None:
    of_card = next(row for row in leaderboard_rows("SynthPEDES") if row.model == "irra_tiny_synth")
    record_of_card = read_record(Path(of_card.source_url))
    again = replace(record_of_card, metrics={**record_of_card.metrics, "R1": 12.5}, **change)
    write_record(again, tmp_path / "again.json")
    rows = [
        row.metrics["R1"]
        for row in leaderboard_rows("SynthPEDES", records=tmp_path)
        if row.model == "irra_tiny_synth" and row.dataset_arguments == of_card.dataset_arguments
    ]
    assert sorted(rows) == ([12.5] if is_repeated else [12.5, of_card.metrics["R1"]])


@pytest.mark.parametrize(
    "change", [{"pictures_sha256": "f" * 64}, {"dataset_arguments": {"seed": 0, "annotations": "f"}}]
)
def test_other_data_never_take_the_place_of_a_card_s(
    tmp_path: Path, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    of_card = next(row for row in leaderboard_rows("SynthPEDES") if row.model == "irra_tiny_synth")
    record_of_card = read_record(Path(str(of_card.source_url)))
    other = replace(record_of_card, metrics={**record_of_card.metrics, "R1": 99.5}, **change)
    write_record(other, tmp_path / "other.json")
    rows = [row for row in leaderboard_rows("SynthPEDES", records=tmp_path) if row.model == "irra_tiny_synth"]
    assert of_card in rows
    (row,) = [row for row in rows if row.metrics["R1"] == 99.5]
    beside = comparison_group(row) == comparison_group(of_card)
    assert row.is_of_other_data == beside
    for format in "text", "markdown":
        shown_name = "IRRA ‡" in shown(capsys, "--records", str(tmp_path), "--format", format)
        assert shown_name == beside


def test_records_that_disagree_on_the_data_are_marked_and_so_are_two_figures_of_one_thing(tmp_path: Path) -> None:
    same = {**record().metrics, "R1": 50.0}
    write_record(record(), tmp_path / "a.json")
    write_record(record(metrics=same), tmp_path / "b.json")
    rows = [row for row in leaderboard_rows("CUHK-PEDES", records=tmp_path) if row.model == "my_model"]
    assert [(row.disagrees_on, row.is_of_other_data) for row in rows] == [(("R1",), False)] * 2
    write_record(record(dataset_sha256="f" * 64), tmp_path / "b.json")
    rows = [row for row in leaderboard_rows("CUHK-PEDES", records=tmp_path) if row.model == "my_model"]
    assert [(row.disagrees_on, row.is_of_other_data) for row in rows] == [((), True)] * 2


def test_the_same_annotations_with_other_pictures_have_a_file_of_their_own(tmp_path: Path) -> None:
    others = [record(), record(pictures_sha256="3" * 64), record(pictures_sha256=None)]
    for each in others:
        write_record(each, tmp_path / record_file_name(each))
    assert len(list(tmp_path.glob("*.json"))) == 3
    assert len([row for row in leaderboard_rows("CUHK-PEDES", records=tmp_path) if row.model == "my_model"]) == 3


@pytest.mark.parametrize("has_entry", [True, False])
def test_a_record_that_does_not_know_its_pictures_is_marked_and_replaces_nothing(
    tmp_path: Path, has_entry: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    of_card = next(row for row in leaderboard_rows("SynthPEDES") if row.model == "irra_tiny_synth")
    of_card_s_record = read_record(Path(str(of_card.source_url)))
    values = {**of_card_s_record.values(), "pictures_sha256": None}
    values["metrics"] = {**of_card_s_record.metrics, "R1": 12.5}
    if not has_entry:
        del values["pictures_sha256"]
    (tmp_path / "old.json").write_text(json.dumps(values))
    rows = [row for row in leaderboard_rows("SynthPEDES", records=tmp_path) if row.model == "irra_tiny_synth"]
    assert of_card in rows
    (row,) = [row for row in rows if row.metrics["R1"] == 12.5]
    assert (row.is_of_unknown_data, row.is_of_other_data, row.disagrees_on) == (True, False, ())
    for format in "text", "markdown", "html":
        printed = shown(capsys, "--records", str(tmp_path), "--format", format)
        assert "measured on pictures that the record does not tell by a hash" in printed
        assert re.search(r"IRRA.{0,200}°", printed)
    assert r"\textdegree{}" in shown(capsys, "--records", str(tmp_path), "--format", "latex")


def test_nor_does_one_replace_a_card_s_that_does_not_know_them_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = card_index().cards["irra_tiny_synth"]
    unknown = [
        replace(each, record=replace(each.record, pictures_sha256=None))
        for each in card.results
        if each.record is not None
    ]
    index = SimpleNamespace(cards={card.name: replace(card, results=tuple(unknown))})
    monkeypatch.setattr("tipr_zoo.leaderboard.rows.card_index", lambda: index)
    assert unknown[0].record is not None
    write_record(replace(unknown[0].record, metrics={**unknown[0].record.metrics, "R1": 12.5}), tmp_path / "old.json")
    rows = [row for row in leaderboard_rows("SynthPEDES", records=tmp_path) if row.model == "irra_tiny_synth"]
    assert len(rows) == len(unknown) + 1


@pytest.mark.parametrize("format", ["markdown", "latex", "csv", "html"])
def test_no_folder_of_this_machine_leaves_it(tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = f"tipr-zoo eval my_model --data DIR --weights {tmp_path / 'best.safetensors'}"
    write_record(record(command=command), tmp_path / "records" / "mine.json")
    text = shown(capsys, "--records", str(tmp_path / "records"), "--format", format)
    for folder in (tmp_path, Path(__file__).parents[2], Path.home()):
        assert f"{folder}/" not in text.replace(r"\allowbreak{}", "").replace(r"\_", "_")
    assert "best.safetensors" in text
    if format == "csv":
        assert "records/mine.json" in text


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = record(dataset_arguments={"seed": 1}, overrides={"model.mean": [0.5, 0.5, 0.5]}, selected_on=None)
    write_record(written, tmp_path / "folder" / "mine.json")
    assert read_record(tmp_path / "folder" / "mine.json") == written


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"split": "val"},
        {"direction": "image-to-text"},
        {"weights_sha256": "f" * 64},
        {"dataset_sha256": "f" * 64},
        {"overrides": {"model.neck": None}},
        {"rerank": 128, "rerank_rest": "first_stage"},
        {"postprocess": ("flip_averaging",), "transductive": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_records_of_different_things_have_different_file_names(change: dict[str, Any]) -> None:
    assert record_file_name(record(**change)) != record_file_name(record())


def test_a_record_s_file_name_is_one_on_every_disk() -> None:
    assert record_file_name(record(dataset="a/b: c")) == "my_model_a-b-c_test_11111111_22222222_00000000.json"


@pytest.mark.parametrize("metric", ["R1", "mAP", "mINP"])
def test_rows_are_sorted_by_a_metric_and_those_without_it_come_last(metric: str) -> None:
    for _, group in groupby(leaderboard_rows("ICFG-PEDES", sort=metric), comparison_group):
        values = [entry.row.metrics.get(metric, -1.0) for entry in entries(group)]
        assert values == sorted(values, reverse=True)


def test_rows_are_grouped_by_data_split_and_arguments(tmp_path: Path) -> None:
    for seed in 1, 0:
        write_record(record(dataset="SynthPEDES", dataset_arguments={"seed": seed}), tmp_path / f"{seed}.json")
    rows = leaderboard_rows(records=tmp_path)
    drawn = [row.dataset_arguments for row in rows if row.model == "my_model"]
    assert drawn == [{"seed": 0}, {"seed": 1}]
    shown_first = list(dict.fromkeys(row.dataset for row in rows if row.trained_on is None))
    assert shown_first[:3] == ["CUHK-PEDES", "ICFG-PEDES", "RSTPReid"]
    assert shown_first[3:] == sorted(shown_first[3:])
    assert [row.trained_on is not None for row in rows] == sorted(row.trained_on is not None for row in rows)


def test_directions_are_never_in_one_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {**record().metrics, "R1": 99.55}
    write_record(record(direction="image-to-text", metrics=metrics), tmp_path / "back.json")
    write_record(record(), tmp_path / "there.json")
    rows = leaderboard_rows("CUHK-PEDES", records=tmp_path)
    assert (rows[0].metrics["R1"], rows[0].direction) == (99.5, "text-to-image")
    (back,) = [row for row in rows if row.direction == "image-to-text"]
    assert back.metrics["R1"] == 99.55

    sections = shown(capsys, "--dataset", "CUHK-PEDES", "--records", str(tmp_path)).split("\n\nCUHK-PEDES, test")
    (backward,) = [section for section in sections if section.startswith(", image-to-text\n")]
    assert "99.50" in sections[0]
    assert "99.55" not in sections[0]
    assert "99.55" in backward.split("\n\n")[1]


@pytest.mark.parametrize(("selected_on", "is_marked"), [("test", True), ("val", False), ("none", False), (None, False)])
def test_an_epoch_chosen_on_the_test_split_is_marked_in_every_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], selected_on: str | None, is_marked: bool
) -> None:
    write_record(record(selected_on=selected_on), tmp_path / "mine.json")
    words = ["--dataset", "CUHK-PEDES", "--records", str(tmp_path), "--format"]
    for format in "text", "markdown":
        text = shown(capsys, *words, format)
        assert ("my_model †" in text) == is_marked
        assert ("my_model ?" in text) == (selected_on is None)
        assert "† the epoch of these weights was chosen on the test split" in text  # of others, such as IRRA's
    (row,) = [row for row in json.loads(shown(capsys, *words, "json")) if row["model"] == "my_model"]
    assert row["selected_on"] == selected_on
    table = csv.DictReader(io.StringIO(shown(capsys, *words, "csv")))
    assert [row["selected_on"] for row in table if row["model"] == "my_model"] == [selected_on or ""]


@pytest.fixture
def chosen_on_test(tiny_zoo: Path) -> Iterator[str]:
    """Name of a model whose card was measured with weights whose epoch was chosen on the test split."""
    name = "a_tiny_model_chosen_on_test"
    metrics = "".join(f"{{type: {metric}, value: 50.0}}, " for metric in METRICS)
    card = (tiny_zoo / "a_tiny_model.md").read_text()
    index = f"""model-index:
  - name: {name}
    results:
      - task: {{type: text-to-image-person-retrieval}}
        dataset: {{type: cuhk-pedes, name: CUHK-PEDES, split: test}}
        metrics: [{metrics}]
        source: {{name: tipr-zoo eval, url: {name}.json}}
tipr_zoo:"""
    files = [tiny_zoo / f"{name}.md", tiny_zoo / f"{name}.json"]
    files[0].write_text(card.replace("tipr_zoo:", index))
    write_record(record(model=name, selected_on="test", metrics=dict.fromkeys(METRICS, 50.0)), files[1])
    card_index.cache_clear()
    yield name
    for file in files:
        file.unlink()
    card_index.cache_clear()


def test_of_a_card_too_it_is_marked_wherever_its_figures_are_shown(
    chosen_on_test: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ["list", f"{chosen_on_test}*"], ["info", chosen_on_test], ["leaderboard", "--dataset", "CUHK-PEDES"]:
        assert main(words) == 0
        text = capsys.readouterr().out
        assert "† the epoch of these weights was chosen on the test split" in text
        assert ("measured †" in text) != ("TBPS-CLIP †" in text or "IRRA †" in text or "X †" in text)
    assert main(["list", chosen_on_test, "--json"]) == 0
    assert [row["selected_on"] for row in json.loads(capsys.readouterr().out)] == ["test"]
    assert main(["info", chosen_on_test, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["record"]["selected_on"] == "test"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dataset": "CUKH-PEDES"}, UnknownNameError, "unknown data set 'CUKH-PEDES'; did you mean 'CUHK-PEDES'"),
        ({"sort": "R2"}, UnknownNameError, "unknown metric 'R2'"),
        ({"records": Path("no/such/folder")}, RecordError, "no/such/folder: no such folder"),
    ],
)
def test_what_does_not_exist_is_told(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        leaderboard_rows(**arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "cannot be read as a record"), ("{}", "missing: model"), ("[]", "a JSON object, got list")],
)
def test_a_malformed_record_is_told_with_its_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(RecordError, match=rf"bad\.json: .*{message}"):
        leaderboard_rows(records=tmp_path)


def test_a_wrong_record_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="metric 'R1' is a percentage"):
        write_record(record(metrics={**record().metrics, "R1": 100.5}), tmp_path / "bad.json")
    assert not (tmp_path / "bad.json").exists()


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints."""
    assert main(["leaderboard", *words]) == 0
    return capsys.readouterr().out


def test_text_marks_the_best_and_titles_each_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--dataset", "RSTPReid")
    assert text.startswith("RSTPReid, test\n")
    best = leaderboard_rows("RSTPReid")[0]
    (line,) = [line for line in text.splitlines() if line.startswith(f"{best.name} ")]
    assert f"{best.metrics['R1']:.2f}*" in line
    assert "reported" in line
    assert all(line == line.rstrip() for line in text.splitlines())


def test_markdown_links_sources_and_prints_the_best_bold(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--dataset", "RSTPReid", "--format", "markdown")
    assert text.startswith("### RSTPReid, test\n")
    best = leaderboard_rows("RSTPReid")[0]
    assert f"| {marked_model(best)} | **{best.metrics['R1']:.2f}** |" in text
    assert "[README of IRRA](https://github.com/anosorae/IRRA)" in text


def test_csv_and_json_hold_the_same_rows_with_plain_numbers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_record(record(), tmp_path / "mine.json")
    table = list(csv.DictReader(io.StringIO(shown(capsys, "--records", str(tmp_path), "--format", "csv"))))
    rows = json.loads(shown(capsys, "--records", str(tmp_path), "--format", "json"))
    assert [row["model"] for row in table] == [row["model"] for row in rows]
    assert [row["R1"] for row in table] == [str(row["metrics"].get("R1", "")) for row in rows]
    assert {row["origin"] for row in rows} == {"reported", "reproduced", "measured"}
    assert all((row["date"] is None) == (row["origin"] != "measured") for row in rows)


class TestPublishedFigures:
    """What papers and READMEs print: ``published_figures.csv`` was gathered from them and is nobody's output."""

    TABLE = Path(__file__).with_name("published_figures.csv").read_text(encoding="utf-8")
    PUBLISHED = tuple(csv.DictReader(io.StringIO(TABLE)))
    PARTS_OF_NAMES = (" (without interaction)", " (MLLM re-ranks)", " (text query)", " (Qwen3-VL-8B cascade)")
    PARTS_OF_NAMES += (" (reproduced by FMFA's authors)", " (re-ranks top 256)")
    PARTS_OF_NAMES += (" (test-time adaptation of HAM's pretraining; no labels)",)
    """What the gathered names say that a row says in a column of its own."""

    @classmethod
    def told(cls, line: dict[str, str]) -> tuple[Any, ...]:
        """Method, extra data, data with its arguments, training data, and figures of a gathered line."""
        method, dataset = line["method"], line["dataset"]
        for part in cls.PARTS_OF_NAMES:
            method = method.removesuffix(part)
        trained_on, _, tried_on = dataset.rpartition(" -> ")
        name, _, pairs = tried_on.partition(" (")
        pairs = pairs.rstrip(")").replace("zero-shot", "none")
        figures = {metric: float(line[metric]) for metric in METRICS if line[metric]}
        extra = line["extra_pretraining"] or "none"
        return method, extra, name, {"training pairs": pairs} if pairs else {}, trained_on or None, figures

    @staticmethod
    def of_row(row: LeaderboardRow) -> tuple[Any, ...]:
        """The same of a row. What is not known counts as none."""
        extra = row.method.pretraining or "none"
        return row.method.name, extra, row.dataset, row.dataset_arguments, row.trained_on, row.metrics

    @pytest.mark.parametrize("line", PUBLISHED, ids=lambda line: f"{line['method']} {line['dataset']}")
    def test_each_is_on_the_leaderboard_with_its_source(self, line: dict[str, str]) -> None:
        same = [row for row in leaderboard_rows() if self.of_row(row) == self.told(line)]
        assert same
        (row, *_) = [row for row in same if self.numbers(row.source) <= self.numbers(line["source"])]
        for known, gathered in zip(
            (row.method.image_encoder, row.method.text_encoder),
            (line["image_encoder"], line["text_encoder"]),
            strict=True,
        ):
            assert not gathered or known == gathered
        assert not line["code_url"] or (row.code and row.code.url == line["code_url"])
        is_reproduced = "reproduc" in line["source"] + line["method"] or "CMP paper, Table 3" in line["source"]
        assert row.origin == ("reproduced" if is_reproduced else "reported")
        assert row.secondary == ("secondary" in line["source"])
        assert row.source_url

    @pytest.mark.parametrize("line", PUBLISHED, ids=lambda line: f"{line['method']} {line['dataset']}")
    def test_what_was_gathered_of_weights_is_said(self, line: dict[str, str]) -> None:
        if line["weights_published"]:
            same = [row for row in leaderboard_rows() if self.of_row(row) == self.told(line)]
            known = {True: "yes", False: "no", None: ""}
            said = {row.method.weights_part or known[row.method.weights_published] for row in same}
            assert line["weights_published"] in said

    @staticmethod
    def numbers(source: str) -> set[str]:
        """Numbers of tables, papers and commits in the words of a source."""
        return {word.strip(".,;()") for word in source.split() if re.search(r"\d", word)}

    def test_there_are_no_others(self) -> None:
        """But for a model's rows that were noted with other figures, each with its own source."""
        gathered = [self.told(line) for line in self.PUBLISHED]
        further = {
            (row.name, row.source)
            for row in leaderboard_rows()
            if row.origin != "measured" and self.of_row(row) not in gathered
        }
        assert further == {
            ("BEAT", "abstract of BEAT (arXiv 2406.05620)"),
            ("BEAT", "RDE (arXiv 2308.09911)"),
            ("BEAT", "README of SEN"),
            ("IRRA", "NAM paper, Table 5 (arXiv 2405.04940)"),
            ("IRRA", "RDE (arXiv 2308.09911)"),
            ("IRRA", "SEN (arXiv 2307.09059)"),
        }

    def test_every_figure_has_an_address(self) -> None:
        assert all(row.source_url for row in leaderboard_rows())

    @pytest.mark.parametrize(
        ("name", "dataset", "metric", "values"),
        [
            ("APTM", "CUHK-PEDES", "R1", [76.17, 76.53]),
            ("BEAT", "RSTPReid", "R1", [48.10, 48.10, 58.25]),
            ("DSSL", "RSTPReid", "R1", [32.43, 39.05]),
            ("IRRA + NAM", "CUHK-PEDES", "R1", [76.67, 76.82, 77.47]),
            ("VGSG", "CUHK-PEDES", "R1", [67.52, 71.38]),
            ("ViTAA", "CUHK-PEDES", "R1", [54.92, 55.97]),
            ("IRRA", "RSTPReid", "R1", [59.50, 60.20]),
        ],
    )
    def test_sources_that_disagree_are_all_kept_and_flagged(
        self, name: str, dataset: str, metric: str, values: list[float], capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [row for row in leaderboard_rows(dataset) if row.name == name and row.trained_on is None]
        assert sorted(row.metrics[metric] for row in rows) == values
        assert all(metric in row.disagrees_on for row in rows)
        assert [row.is_further for row in rows] == [False] + [True] * (len(rows) - 1)
        lines = shown(capsys, "--dataset", dataset).splitlines()
        (number,) = [i for i, line in enumerate(lines) if re.match(rf"{re.escape(name)}( [†?])? ≠ ", line)]
        (entry,) = [entry for entry in entries(leaderboard_rows(dataset)) if entry.row == rows[0]]
        below = [line for line in lines[number + 1 : number + 5] if line.startswith("≠ another source")]
        assert len(below) >= len(entry.contradicting) == len(set(values)) - 1

    @pytest.mark.parametrize(
        ("name", "dataset", "metric", "values"),
        [
            ("IRRA", "ICFG-PEDES", "R5", {80.24, 80.25, 80.16}),
            ("IRRA", "CUHK-PEDES", "mAP", {66.13, 66.10}),
            ("TBPS-CLIP", "CUHK-PEDES", "R1", {73.54}),
        ],
    )
    def test_a_last_digit_is_no_contradiction(self, name: str, dataset: str, metric: str, values: set[float]) -> None:
        rows = [row for row in leaderboard_rows(dataset) if row.name == name and row.trained_on is None]
        assert {row.metrics[metric] for row in rows if metric in row.metrics} == values
        assert not any(metric in row.disagrees_on for row in rows)

    def test_a_figure_that_the_first_source_lacks_comes_from_one_that_agrees(self) -> None:
        rows = leaderboard_rows("CUHK-PEDES")
        (entry,) = [entry for entry in entries(rows) if entry.row.model == "tbps_clip_vitb16_cuhk"]
        assert (entry.row.metrics["R1"], entry.row.metrics["mINP"]) == (73.54, 49.25)
        assert [row.metrics.get("mINP") for row in entry.agreeing] == [None, 49.25]

    def test_figures_that_no_other_source_contradicts_are_not_flagged(self) -> None:
        (sen,) = [row for row in leaderboard_rows("CUHK-PEDES") if row.model == "sen_vitb16_cuhk"]
        assert sen.disagrees_on == ()

    @pytest.mark.parametrize(
        ("name", "chosen_on"),
        [
            *((name, "test") for name in ("IRRA", "SEN", "SEN-XL", "FMFA", "MARS", "RaSa", "TBPS-CLIP", "LFSA", "AUL")),
            *((name, "test") for name in ("DM-Adapter", "APTM", "IRRA + NAM")),
            *(("RDE", "test (paper: val)"), ("VFE-TPS", "val"), ("PLOT", "?")),
        ],
    )
    def test_what_the_epoch_was_chosen_on_is_said_or_unknown(self, name: str, chosen_on: str) -> None:
        rows = [row for row in leaderboard_rows("CUHK-PEDES") if row.name == name and row.trained_on is None]
        assert {epoch(row) for row in rows if row.origin == "reported"} == {chosen_on}

    def test_who_trains_again_may_choose_the_epoch_otherwise(self) -> None:
        assert {row.selected_on for row in leaderboard_rows() if row.origin == "reproduced"} == {None}

    def test_nor_is_it_known_of_models_that_others_try_on_other_data(self) -> None:
        assert {epoch(row) for row in leaderboard_rows() if row.trained_on} == {"?"}


class TestFilters:
    @pytest.mark.parametrize(
        ("words", "kept", "left_out"),
        [
            (["--origin", "reported"], {"irra_vitb16_cuhk", "MARS"}, {"IRRA + HAM"}),
            (["--origin", "reproduced"], {"IRRA + HAM", "irra_vitb16_cuhk"}, {"rde_vitb16_cuhk", "MARS"}),
            (["--pretraining", "none"], {"irra_vitb16_cuhk", "MARS"}, {"BEAT", "APTM", "fmfa_ham_vitb16_cuhk"}),
            (["--pretraining", "extra"], {"APTM", "fmfa_ham_vitb16_cuhk"}, {"BEAT", "irra_vitb16_cuhk", "MARS"}),
            (["--pretraining", "ham"], {"IRRA + HAM", "fmfa_ham_vitb16_cuhk"}, {"APTM", "IRRA + NAM", "MARS"}),
            (
                ["--encoder", "vit-b/16"],
                {"irra_vitb16_cuhk", "rde_vitb16_cuhk"},
                {"sen_vitl14_cuhk", "MARS", "PLOT", "ViTAA"},
            ),
            (["--weights"], {"irra_vitb16_cuhk", "rde_vitb16_cuhk"}, {"sen_vitb16_cuhk", "PLOT"}),
            (
                ["--weights", "--encoder", "ALBEF"],
                {"MARS", "rasa_vitb16_cuhk"},
                {"rde_vitb16_cuhk", "irra_vitb16_cuhk"},
            ),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_keep_what_is_known_to_fit(
        self, words: list[str], kept: set[str], left_out: set[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = json.loads(shown(capsys, "--dataset", "CUHK-PEDES", *words, "--format", "json"))
        models = {row["model"] for row in rows}
        assert kept <= models
        assert not left_out & models

    def test_measured_figures_are_the_zoo_s(self) -> None:
        rows = leaderboard_rows(filter=LeaderboardFilter(origin="measured"))
        assert {row.dataset for row in rows} == {"SynthPEDES"}
        assert all(row.method.weights_published for row in rows)

    @pytest.mark.parametrize(
        ("filter", "message"),
        [
            (LeaderboardFilter(origin="measurd"), "unknown origin 'measurd'; did you mean 'measured'"),
            (LeaderboardFilter(pretraining="HAN"), "unknown pretraining 'HAN'; did you mean 'HAM'"),
            (LeaderboardFilter(encoder="ViT-B/61"), "unknown image encoder 'ViT-B/61'"),
            (LeaderboardFilter(encoder=""), "unknown image encoder ''"),
        ],
    )
    def test_what_no_row_has_is_told(self, filter: LeaderboardFilter, message: str) -> None:
        with pytest.raises(UnknownNameError, match=message):
            leaderboard_rows(filter=filter)

    def test_nothing_left_over_is_no_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["leaderboard", "--dataset", "SynthPEDES", "--origin", "reproduced"]) == 0
        assert capsys.readouterr() == ("", "no figure is left over; drop a filter\n")

    def test_weights_of_a_record_are_known_where_they_are_the_card_s(self, tmp_path: Path) -> None:
        of_card = read_record(Path(leaderboard_rows("SynthPEDES")[0].source_url or ""))
        write_record(replace(of_card, split="val"), tmp_path / "same.json")
        write_record(replace(of_card, split="val", weights_sha256="f" * 64), tmp_path / "other.json")
        rows = [row for row in leaderboard_rows("SynthPEDES", records=tmp_path) if row.split == "val"]
        assert {Path(row.source_url or "").stem: row.method.weights_published for row in rows} == {
            "same": True,
            "other": None,
        }


class TestBestAndSecondBest:
    def marked(self, text: str, mark: str) -> set[str]:
        """Every figure with this mark."""
        return {word[:-1] for word in text.split() if word.endswith(mark) and word[:-1].replace(".", "").isdigit()}

    def test_are_marked_among_rows_of_one_kind(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = shown(capsys, "--dataset", "CUHK-PEDES").partition("\n\n*")[0].replace("CUHK-PEDES, test", "CUHK-PEDES")
        sections = dict(part.split("\n", 1) for part in re.split(r"\n\n(?=CUHK-PEDES)", text))
        of_none = "CUHK-PEDES"
        assert self.marked(sections[of_none], "*") == {"78.82", "90.89", "94.89", "71.41", "56.00"}
        assert self.marked(sections[of_none], "+") == {"77.62", "90.68", "94.52", "70.85", "51.99"}
        assert "94.66*" not in text  # SEN-XL's, which stands alone
        assert "76.64 " in sections["CUHK-PEDES, with a large encoder"]
        extra = sections["CUHK-PEDES, with extra person data"]
        assert self.marked(extra, "*") == {"78.18", "91.63", "95.01", "69.82"}
        at_test_time = sections["CUHK-PEDES, with more than its encoders at test time"]
        assert self.marked(at_test_time, "*") == {"77.91", "90.27", "69.13"}
        both = sections["CUHK-PEDES, with extra person data, with more than its encoders at test time"]
        assert "79.06" in self.marked(both, "*")
        assert "35.40" in self.marked(sections["CUHK-PEDES, trained on RSTPReid"], "*")

    def ranked(self, *figures: tuple[float, float | None]) -> list[int | None]:
        """Ranks of R1 among measured rows with these figures and deviations over seeds."""
        row = next(row for row in leaderboard_rows("SynthPEDES"))
        rows = [
            replace(row, metrics={"R1": value}, spread=None if spread is None else {"R1": spread})
            for value, spread in figures
        ]
        return [ranks.get("R1") for ranks in figure_ranks(rows)]

    @pytest.mark.parametrize(
        ("figures", "ranks"),
        [
            ([(50.0, 0.5), (49.0, 0.9), (40.0, 1.0)], [1, 2, None]),
            ([(50.0, 0.5), (49.0, 1.0), (40.0, 1.0)], [None, None, None]),  # no further apart than seeds are
            ([(50.0, 1.5), (49.0, 0.1), (40.0, 1.0)], [None, None, None]),
            ([(50.0, 0.5), (49.0, 0.5), (48.0, 2.0)], [1, None, None]),
            ([(50.0, 0.5), (50.001, 0.5), (40.0, 0.5)], [1, 1, None]),  # equal figures share a mark
            ([(50.0, None), (40.0, 0.5)], [None, None]),  # what is not known may be anything
            ([(50.0, 0.5), (40.0, None)], [1, None]),
            ([(50.0, 0.5), (50.0, 0.5)], [None, None]),
        ],
    )
    def test_a_measured_figure_is_best_only_beyond_the_spread_of_seeds(
        self, figures: list[tuple[float, float | None]], ranks: list[int | None]
    ) -> None:
        assert self.ranked(*figures) == ranks

    def test_measured_rows_say_budget_and_spread_and_none_of_the_shipped_is_beyond_it(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = shown(capsys, "--dataset", "SynthPEDES")
        assert not self.marked(text.partition("\n\n*")[0], "*")
        lines = text.splitlines()
        (number,) = [i for i, line in enumerate(lines) if re.match(r"FMFA +79\.69", line)]
        assert re.match(r"fmfa_tiny_synth +±0\.76 +±0\.32 +±0\.44", lines[number + 1])
        assert "trained with 6 epochs on 3,000 drawn persons (fmfa_tiny_synth, sen_tiny_synth, " in text
        markdown = shown(capsys, "--dataset", "SynthPEDES", "--format", "markdown")
        assert "6 epochs on 3,000 drawn persons; R1 ±0.76, R10 ±0.32, mAP ±0.44 over 3 seeds" in markdown
        assert "; deviation over seeds not known" in markdown  # of the one that was trained once

    def test_are_bold_and_slanted_in_markdown_and_bold_and_underlined_in_latex(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        markdown = shown(capsys, "--dataset", "CUHK-PEDES", "--format", "markdown")
        assert "| **78.82** |" in markdown
        assert "| _77.62_ |" in markdown
        latex = shown(capsys, "--dataset", "CUHK-PEDES", "--format", "latex")
        assert r"Bi-IRRA ? \P{} & \textbf{78.82} &" in latex
        assert r"MARS \textdagger{} & \underline{77.62} & 90.63" in latex


class TestLatex:
    def test_is_made_of_booktabs_tables(self, capsys: pytest.CaptureFixture[str]) -> None:
        latex = shown(capsys, "--dataset", "RSTPReid", "--format", "latex")
        for command in r"\toprule", r"\midrule", r"\bottomrule", r"\end{table}":
            assert latex.count(command) == len(re.findall(r"\\caption\{RSTPReid, test", latex)) > 4
        assert r"\hline" not in latex
        for line in latex.splitlines():
            if line.endswith(r"\\"):
                assert 6 <= line.count(" & ") <= 10

    def test_escapes_what_latex_would_read_as_a_command(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = r"a_model 50%_{x} & $y$ #1 ~ ^ \input"
        write_record(record(model="a&b_50%", command=command), tmp_path / "mine.json")
        latex = shown(capsys, "--records", str(tmp_path), "--dataset", "CUHK-PEDES", "--format", "latex")
        assert r"a\&b\_50\% & 99.50" in latex
        expected = r"a\_model 50\%\_\{x\} \& \$y\$ \#1 \textasciitilde{} \textasciicircum{} \textbackslash{}input"
        assert expected in latex

    @pytest.mark.parametrize(
        ("model", "cell"),
        [
            ("[3pt]", "{}[3pt] &"),  # which the end of the line before would take for its height
            ("*star", "{}*star &"),
            ("--data", "-{}-data &"),
            ("''so''", "'{}'so'{}' &"),
            ("two\n\nlines\x1b", "two lines &"),
        ],
    )
    def test_names_are_printed_letter_by_letter(
        self, model: str, cell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_record(record(model=model, selected_on="val"), tmp_path / "mine.json")
        latex = shown(capsys, "--records", str(tmp_path), "--dataset", "CUHK-PEDES", "--format", "latex")
        assert f"\n{cell}" in latex


@pytest.mark.parametrize(
    ("model", "cell"),
    [
        ("<script>alert(1)</script>", "| &lt;script>alert(1)&lt;/script> |"),
        ("a|b", r"| a\|b |"),
        ("a\\|b", r"| a\\\|b |"),
        ("[x](javascript:y)", r"| \[x\](javascript:y) |"),
        ("*a* _b_ `c` d_e &lt;", r"| \*a\* \_b\_ \`c\` d_e &amp;lt; |"),
    ],
)
@pytest.mark.parametrize("words", [[], ["--brief"]])
def test_markdown_shows_names_letter_by_letter(
    model: str, cell: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(record(model=model, selected_on="val"), tmp_path / "mine.json")
    assert cell in shown(capsys, "--records", str(tmp_path), "--format", "markdown", *words)


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_what_a_terminal_would_obey_is_not_printed(
    format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(record(model="\x1b[31mred", dataset="X\x07", command="\x1b]0;title\x07"), tmp_path / "mine.json")
    text = shown(capsys, "--records", str(tmp_path), "--format", format)
    assert "[31mred" in text.replace("\\", "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_an_address_cannot_end_its_link() -> None:
    (row,) = [row for row in leaderboard_rows("CUHK-PEDES") if row.model == "MARS"]
    text = markdown_leaderboard([replace(row, source_url='https://x/) <img src="y">')])
    assert "[README of MARS](https://x/%29%20%3Cimg%20src=%22y%22%3E)" in text


@pytest.mark.parametrize("columns", [24, 40, 60, 72, 80, 100, 200])
def test_text_fits_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = shown(capsys)
    assert max(map(len, text.splitlines())) <= columns
    assert {"78.18*", "95.01*", "reproduced", "†"} <= set(text.split())


def test_text_at_80_columns_is_one_row_a_model_and_one_a_contradicting_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = shown(capsys, "--dataset", "CUHK-PEDES").partition("\n\n*")[0].splitlines()
    rows = [line for line in lines if line.endswith("]")]
    of_models = entries(leaderboard_rows("CUHK-PEDES"))
    assert len(rows) == sum(1 + len(entry.contradicting) for entry in of_models)
    names = {line.strip() for line in lines if re.fullmatch(r"[a-z0-9_]+", line.strip())}
    assert {"irra_vitb16_cuhk", "rasa_vitb16_cuhk", "fmfa_ham_vitb16_cuhk"} <= names


@pytest.mark.parametrize(
    ("columns", "left_out"),
    [
        (80, "encoder, ranks by, extra data, published, weights, epoch chosen on, code licence, parameters"),
        (112, "ranks by, extra data, published, weights, epoch chosen on, code licence, parameters"),
        (400, None),
    ],
)
def test_text_says_what_it_has_no_room_for(
    columns: int, left_out: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = " ".join(shown(capsys, "--dataset", "CUHK-PEDES").split())
    assert ("not everywhere room for" in text) == (left_out is not None)
    assert left_out is None or f"not everywhere room for: {left_out}" in text


def test_a_card_whose_source_is_a_script_is_not_shown(tiny_zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = (tiny_zoo / "a_tiny_model.md").read_text()
    index = """model-index:
  - name: a_model_with_a_trap
    results:
      - task: {type: text-to-image-person-retrieval}
        dataset: {type: cuhk-pedes, name: CUHK-PEDES, split: test}
        metrics: [{type: R1, value: 50.0}]
        source: {name: a trap, url: "javascript://%0aalert(1)"}
tipr_zoo:"""
    file = tiny_zoo / "a_model_with_a_trap.md"
    file.write_text(card.replace("tipr_zoo:", index))
    card_index.cache_clear()
    try:
        for format in "markdown", "html":
            text = shown(capsys, "--format", format)
            assert "irra_vitb16_cuhk" in text
            assert "a_model_with_a_trap" not in text
            assert "javascript:" not in text
        (problem,) = card_index().problems.values()
        assert "'url' must be a web address" in str(problem)
    finally:
        file.unlink()
        card_index.cache_clear()


MARKUP = "<b>*a*</b> | `b` & $c$ \\\\ [d](javascript:e)"
"""A name that is markup in every format."""


@pytest.mark.parametrize(
    ("format", "shown_as"),
    [
        ("text", f"\n{MARKUP}"),
        ("markdown", r"| &lt;b>\*a\*&lt;/b> \| \`b\` &amp; $c$ \\\\ \[d\](javascript:e) |"),
        ("latex", r"\textless{}b\textgreater{}*a*\textless{}/b\textgreater{} \textbar{} `b` \& \$c\$ "),
        ("csv", MARKUP),
        ("json", '"name": "<b>*a*</b> | `b` & $c$ '),
        ("html", "&lt;b&gt;*a*&lt;/b&gt; | `b` &amp; $c$ "),
    ],
)
def test_a_name_with_markup_is_shown_letter_by_letter_in_every_format(format: str, shown_as: str) -> None:
    rows = [replace(row, name=MARKUP, selected_on="val") for row in leaderboard_rows("PAB") if row.model == "CMP"]
    assert shown_as in render(rows, format, "R1", brief=False)


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "csv", "json", "html"])
def test_two_thousand_rows_are_written_in_seconds(format: str) -> None:
    rows = [row for row in leaderboard_rows() if not row.is_further]
    many = [replace(rows[i % len(rows)], model=f"model {i}", name=f"model {i}") for i in range(2000)]
    begun = time.monotonic()
    together = sorted(with_sources_together(with_conflicts(many), "R1"), key=section_order)
    text = render(together, format, "R1", brief=False)
    assert time.monotonic() - begun < 20
    assert all(f"model {i}" in text for i in range(2000))


def test_the_readme_s_tables_are_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """To write them anew: run the command before each and put its output between the two comments."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    part = readme.split("<!-- leaderboard -->\n")[1].split("\n<!-- /leaderboard -->")[0]
    tables = re.findall(r"```\ntipr-zoo (leaderboard [^\n]*)\n```\n\n(.*?)(?=\n\n```|\Z)", part, re.DOTALL)
    assert len(tables) == 2
    for command, table in tables:
        assert main(command.split()) == 0
        assert table.strip() == capsys.readouterr().out.strip()
