"""The leaderboard: every figure with its source, reported and measured told apart."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tipr_zoo.card_index import card_index
from tipr_zoo.command_line import main
from tipr_zoo.errors import RecordError, UnknownNameError
from tipr_zoo.leaderboard import leaderboard_rows
from tipr_zoo.records import METRICS, Record, read_record, record_file_name, write_record


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
    ],
    ids=lambda change: next(iter(change)),
)
def test_records_of_different_things_have_different_file_names(change: dict[str, Any]) -> None:
    assert record_file_name(record(**change)) != record_file_name(record())


def test_a_record_s_file_name_is_one_on_every_disk() -> None:
    assert record_file_name(record(dataset="a/b: c")) == "my_model_a-b-c_test_11111111_00000000.json"


@pytest.mark.parametrize("metric", ["R1", "mAP", "mINP"])
def test_rows_are_sorted_by_a_metric_and_those_without_it_come_last(metric: str) -> None:
    values = [row.metrics.get(metric, -1.0) for row in leaderboard_rows("ICFG-PEDES", sort=metric)]
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

    there, back = shown(capsys, "--dataset", "CUHK-PEDES", "--records", str(tmp_path)).split("\n\nCUHK-PEDES, test, ")
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
        assert ("† the epoch of these weights was chosen on the test split" in text) == is_marked
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
    assert f"| {best.model} | **{best.metrics['R1']:.2f}** |" in text
    assert "[README of IRRA](https://github.com/anosorae/IRRA)" in text


def test_csv_and_json_hold_the_same_rows_with_plain_numbers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_record(record(), tmp_path / "mine.json")
    table = list(csv.DictReader(io.StringIO(shown(capsys, "--records", str(tmp_path), "--format", "csv"))))
    rows = json.loads(shown(capsys, "--records", str(tmp_path), "--format", "json"))
    assert [row["model"] for row in table] == [row["model"] for row in rows]
    assert [float(row["R1"]) for row in table] == [row["metrics"]["R1"] for row in rows]
    assert {row["origin"] for row in rows} == {"reported", "measured"}
    assert all((row["date"] is None) == (row["origin"] == "reported") for row in rows)
