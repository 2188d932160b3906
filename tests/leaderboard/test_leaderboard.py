"""The leaderboard: every figure with its source, reported and measured told apart."""

from __future__ import annotations

import csv
import io
import json
import re
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
from tipr_zoo.errors import RecordError, UnknownNameError
from tipr_zoo.leaderboard.filter import LeaderboardFilter
from tipr_zoo.leaderboard.marks import marked_model
from tipr_zoo.leaderboard.rows import comparison_group, leaderboard_rows
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
    rows = {row.model: row for row in leaderboard_rows("cuhk-pedes")}
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
        shown_name = "irra_tiny_synth ‡" in shown(capsys, "--records", str(tmp_path), "--format", format)
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
        assert re.search(r"irra_tiny_synth.{0,150}°", printed)
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
        values = [row.metrics.get(metric, -1.0) for row in group]
        assert values == sorted(values, reverse=True)


def test_rows_are_grouped_by_data_split_and_arguments(tmp_path: Path) -> None:
    for seed in 1, 0:
        write_record(record(dataset="SynthPEDES", dataset_arguments={"seed": seed}), tmp_path / f"{seed}.json")
    rows = leaderboard_rows(records=tmp_path)
    drawn = [row.dataset_arguments for row in rows if row.model == "my_model"]
    assert drawn == [{"seed": 0}, {"seed": 1}]
    assert [row.dataset for row in rows] == sorted(row.dataset for row in rows)


def test_directions_are_never_in_one_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {**record().metrics, "R1": 99.55}
    write_record(record(direction="image-to-text", metrics=metrics), tmp_path / "back.json")
    write_record(record(), tmp_path / "there.json")
    rows = leaderboard_rows("CUHK-PEDES", records=tmp_path)
    assert (rows[0].metrics["R1"], rows[0].direction) == (99.5, "text-to-image")
    assert (rows[-1].metrics["R1"], rows[-1].direction) == (99.55, "image-to-text")

    there, _, back = shown(capsys, "--dataset", "CUHK-PEDES", "--records", str(tmp_path)).split(
        "\n\nCUHK-PEDES, test, "
    )
    assert "99.50*" in there
    assert "99.55" not in there
    assert back.startswith("image-to-text\n")
    assert "99.55*" not in back  # it stands alone there
    assert "99.55" in back


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
        assert ("measured †" in text) != (f"{chosen_on_test} †" in text)
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
    (line,) = [line for line in text.splitlines() if line.startswith(f"{best.model} ")]
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

    @pytest.mark.parametrize("line", PUBLISHED, ids=lambda line: f"{line['method']} {line['dataset']}")
    def test_each_is_on_the_leaderboard_with_its_source(self, line: dict[str, str]) -> None:
        figures = {metric: float(line[metric]) for metric in METRICS if line[metric]}
        (row,) = [
            row
            for row in leaderboard_rows(line["dataset"])
            if (row.method.name, row.method.pretraining) == (line["method"], line["extra_pretraining"] or "none")
            and row.metrics == figures
        ]
        assert (row.method.image_encoder, row.method.text_encoder) == (line["image_encoder"], line["text_encoder"])
        assert (row.code.url if row.code else "") == line["code_url"]
        assert row.method.weights_published == {"yes": True, "no": False, "": None}[line["weights_published"]]
        assert row.origin == ("reproduced" if "its reproduction" in line["source"] else "reported")
        words = set(row.source.replace(" of ", " ").split())
        assert words <= set(line["source"].replace(", its reproduction", "").split())
        assert {"README", "paper,", "paper", "repository,"} & words

    def test_there_are_no_others(self) -> None:
        """But for figures that another source contradicts."""
        published = {(line["method"], line["extra_pretraining"] or "none", line["dataset"]) for line in self.PUBLISHED}
        further = [
            row
            for row in leaderboard_rows()
            if row.origin != "measured" and (row.method.name, row.method.pretraining, row.dataset) not in published
        ]
        assert all(row.disagrees_on for row in further)
        assert {row.model for row in further} == {"BEAT", "DSSL", "ViTAA"}

    @pytest.mark.parametrize(
        ("model", "dataset", "metric", "values"),
        [
            ("BEAT", "RSTPReid", "R1", [48.10, 58.25]),
            ("DSSL", "RSTPReid", "R1", [32.43, 39.05]),
            ("ViTAA", "CUHK-PEDES", "R1", [54.92, 55.97]),
            ("irra_vitb16_icfg", "ICFG-PEDES", "R5", [80.24, 80.25, 80.25]),
            ("irra_vitb16_icfg", "ICFG-PEDES", "mAP", [38.05, 38.06, 38.06]),
            ("irra_vitb16_icfg", "ICFG-PEDES", "mINP", [7.92, 7.93, 7.93]),
        ],
    )
    def test_sources_that_disagree_are_all_kept_and_flagged(
        self, model: str, dataset: str, metric: str, values: list[float], capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [row for row in leaderboard_rows(dataset) if row.model == model]
        assert sorted(row.metrics[metric] for row in rows) == values
        assert all(metric in row.disagrees_on for row in rows)
        lines = [line for line in shown(capsys, "--dataset", dataset).splitlines() if line.startswith(f"{model} ")]
        assert [" ≠ " in line for line in lines] == [True] * len(values)

    def test_figures_that_no_other_source_contradicts_are_not_flagged(self) -> None:
        (sen,) = [row for row in leaderboard_rows("CUHK-PEDES") if row.model == "sen_vitb16_cuhk"]
        assert sen.disagrees_on == ()

    @pytest.mark.parametrize(
        ("method", "selected_on"),
        [("IRRA", "test"), ("SEN", "test"), ("SEN-XL", "test"), ("FMFA", "test"), ("RDE", "test"), ("MARS", None)],
    )
    def test_what_the_epoch_was_chosen_on_is_said_or_unknown(self, method: str, selected_on: str | None) -> None:
        rows = [row for row in leaderboard_rows() if row.method.name == method and row.model != "IRRA + NAM"]
        assert {row.selected_on for row in rows if row.origin == "reported"} == {selected_on}

    def test_who_trains_again_may_choose_the_epoch_otherwise(self) -> None:
        assert {row.selected_on for row in leaderboard_rows() if row.origin == "reproduced"} == {None}


class TestFilters:
    @pytest.mark.parametrize(
        ("words", "kept", "left_out"),
        [
            (["--origin", "reported"], {"irra_vitb16_cuhk", "MARS"}, {"IRRA + HAM"}),
            (["--origin", "reproduced"], {"IRRA + HAM"}, {"irra_vitb16_cuhk", "MARS"}),
            (["--pretraining", "none"], {"irra_vitb16_cuhk", "MARS"}, {"ViTAA", "APTM", "fmfa_ham_vitb16_cuhk"}),
            (["--pretraining", "extra"], {"APTM", "fmfa_ham_vitb16_cuhk"}, {"ViTAA", "irra_vitb16_cuhk", "MARS"}),
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

    def test_are_marked_among_rows_that_may_be_compared(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = shown(capsys, "--dataset", "CUHK-PEDES").partition("\n\n*")[0]
        without, with_extra = text.split("CUHK-PEDES, test, with extra person data")
        assert self.marked(without, "*") == {"77.62", "91.33", "94.66", "71.41", "56.00"}
        assert self.marked(without, "+") == {"76.64", "90.89", "94.52", "69.50", "53.88"}
        assert self.marked(with_extra, "*") == {"77.46", "91.36", "95.01", "69.55"}
        assert self.marked(with_extra, "+") == {"77.32", "91.33", "94.95", "68.89"}

    def test_equal_figures_share_a_mark_and_two_have_no_second(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name, rank_1 in {"a": 50.0, "b": 50.001, "c": 40.0}.items():
            metrics = {**record().metrics, "R1": rank_1}
            write_record(record(model=name, split="val", metrics=metrics), tmp_path / f"{name}.json")
        text = shown(capsys, "--dataset", "CUHK-PEDES", "--records", str(tmp_path)).partition("\n\n*")[0]
        section = text.split("CUHK-PEDES, val")[1]
        assert [line.split()[1] for line in section.splitlines() if line[:2] in ("a ", "b ", "c ")] == [
            "50.00*",
            "50.00*",
            "40.00",
        ]

    def test_are_bold_and_slanted_in_markdown_and_bold_and_underlined_in_latex(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        markdown = shown(capsys, "--dataset", "CUHK-PEDES", "--format", "markdown")
        assert "| **77.62** |" in markdown
        assert "| _76.64_ |" in markdown
        latex = shown(capsys, "--dataset", "CUHK-PEDES", "--format", "latex")
        assert r"MARS ? & \textbf{77.62} & 90.63" in latex
        assert r"sen\_vitl14\_cuhk \textdagger{} & \underline{76.64} & \textbf{91.33}" in latex


class TestLatex:
    def test_is_made_of_booktabs_tables(self, capsys: pytest.CaptureFixture[str]) -> None:
        latex = shown(capsys, "--dataset", "RSTPReid", "--format", "latex")
        for command in r"\toprule", r"\midrule", r"\bottomrule", r"\end{table}":
            assert latex.count(command) == 2  # without and with extra person data
        assert r"\hline" not in latex
        for line in latex.splitlines():
            if line.endswith(r"\\"):
                assert line.count(" & ") in (7, 8)

    def test_escapes_what_latex_would_read_as_a_command(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = r"a_model 50%_{x} & $y$ #1 ~ ^ \input"
        write_record(record(model="a&b_50%", command=command), tmp_path / "mine.json")
        latex = shown(capsys, "--records", str(tmp_path), "--dataset", "CUHK-PEDES", "--format", "latex")
        assert r"a\&b\_50\% & \textbf{99.50}" in latex
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
    assert {"77.46*", "95.01*", "reproduced", "†"} <= set(text.split())


def test_text_at_80_columns_is_one_line_a_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = shown(capsys, "--dataset", "CUHK-PEDES").partition("\n\n*")[0].splitlines()
    rows = [line for line in lines if line.endswith("]")]
    assert len(rows) == len(leaderboard_rows("CUHK-PEDES"))


@pytest.mark.parametrize(
    ("columns", "left_out"),
    [
        (80, "encoder, ranks by, extra data, weights, code licence"),
        (112, "ranks by, extra data, weights, code licence"),
        (200, None),
    ],
)
def test_text_says_what_it_has_no_room_for(
    columns: int, left_out: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = " ".join(shown(capsys, "--dataset", "CUHK-PEDES").split())
    assert ("not everywhere room for" in text) == (left_out is not None)
    assert left_out is None or f"not everywhere room for: {left_out};" in text


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


def test_the_readme_s_tables_are_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """To write them anew: run the command before each and put its output between the two comments."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    part = readme.split("<!-- leaderboard -->\n")[1].split("\n<!-- /leaderboard -->")[0]
    tables = re.findall(r"```\ntipr-zoo (leaderboard [^\n]*)\n```\n\n(.*?)(?=\n\n```|\Z)", part, re.DOTALL)
    assert len(tables) == 2
    for command, table in tables:
        assert main(command.split()) == 0
        assert table.strip() == capsys.readouterr().out.strip()
