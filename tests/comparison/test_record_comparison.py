"""`tipr-zoo compare`: two records, query by query, and what cannot be compared."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from tipr_zoo.authoring.card_writing import write_card
from tipr_zoo.authoring.new_model import NewModel
from tipr_zoo.cards.record import METRICS, read_record, write_record
from tipr_zoo.cards.record_files import queries_file
from tipr_zoo.command_line import main
from tipr_zoo.models.lookup import load_card
from tipr_zoo.outside.files import file_sha256

ONE, OTHER = "irra_tiny_synth", "fmfa_tiny_synth"


@pytest.fixture(scope="module")
def measured(synthpedes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of two models on the training split, in both directions."""
    folder = tmp_path_factory.mktemp("records")
    for model in (ONE, OTHER):
        words = ["eval", model, "--data", str(synthpedes), "--split", "train", "--records", str(folder)]
        assert main([*words, "--direction", "both", "--device", "cpu", "--no-cache"]) == 0
    return folder


@pytest.fixture
def records(measured: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    shutil.copytree(measured, tmp_path / "records")
    return tmp_path / "records"


def file_of(folder: Path, model: str, direction: str = "text-to-image") -> Path:
    """The record of a model in one direction."""
    (found,) = [
        path
        for path in folder.glob("*.json")
        if (record := read_record(path)).model == model and record.direction == direction
    ]
    return found


def compared(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    """What `compare --json` says."""
    capsys.readouterr()
    assert main(["compare", *map(str, words), "--json", "--resamples", "500"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line that `compare` says instead."""
    capsys.readouterr()
    assert main(["compare", *map(str, words)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_both_directions_are_compared_where_both_are_kept(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = file_of(measured, ONE), file_of(measured, OTHER)
    there, back = compared(capsys, one, other)
    assert [each["first"]["direction"] for each in (there, back)] == ["text-to-image", "image-to-text"]
    for each, names in ((there, (one, other)), (back, [file_of(measured, m, "image-to-text") for m in (ONE, OTHER)])):
        first, second = map(read_record, names)
        assert [row["metric"] for row in each["differences"]] == list(METRICS)
        for row in each["differences"]:
            assert row["first"] == pytest.approx(first.metrics[row["metric"]], abs=1e-4)
            assert row["second"] == pytest.approx(second.metrics[row["metric"]], abs=1e-4)
            assert row["difference"] == pytest.approx(row["second"] - row["first"])
            assert row["interval"][0] <= row["difference"] <= row["interval"][1]
            assert 0 < row["p_value"] <= 1
    assert (there["units"], back["units"]) == (24, 12)


def test_the_other_order_has_the_other_sign(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = file_of(measured, ONE), file_of(measured, OTHER)
    for row, turned in zip(
        compared(capsys, one, other)[0]["differences"], compared(capsys, other, one)[0]["differences"], strict=True
    ):
        assert turned["difference"] == pytest.approx(-row["difference"])
        assert turned["p_value"] == row["p_value"]
        assert turned["interval"] == pytest.approx([-end for end in row["interval"][::-1]], abs=3)


def test_persons_are_drawn_as_a_whole_where_it_is_asked_for(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (there, _) = compared(capsys, file_of(measured, ONE), file_of(measured, OTHER), "--by", "identity", "--seed", "3")
    assert (there["by"], there["units"], there["seed"], there["is_exact"]) == ("identity", 6, 3, True)
    words = ["compare", str(file_of(measured, ONE)), str(file_of(measured, OTHER)), "--by", "identity"]
    assert main([*words, "--resamples", "200"]) == 0
    assert "text-to-image: 24 queries of 6 identities\n" in capsys.readouterr().out


def test_one_person_alone_is_told(synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = json.loads((synthpedes / "reid_raw.json").read_text())
    table = ["image,caption,person"]
    first = next(person["id"] for person in people if person["split"] == "train")
    for person in (person for person in people if person["id"] == first):
        table += [f'{synthpedes / "imgs" / person["file_path"]},"{caption}",1' for caption in person["captions"]]
    (tmp_path / "people.csv").write_text("\n".join(table))
    for model in (ONE, OTHER):
        words = ["eval", model, "--data", str(tmp_path / "people.csv"), "--records", str(tmp_path / model)]
        assert main([*words, "--split", "all", "--device", "cpu", "--no-cache"]) == 0
    line = refused(capsys, tmp_path / ONE, tmp_path / OTHER, "--by", "identity")
    assert "has one identity alone, of which nothing can be drawn; measure more" in line


def test_the_table_says_what_its_numbers_mean(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", str(file_of(measured, ONE)), str(file_of(measured, OTHER)), "--resamples", "500"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "SynthPEDES train, text-to-image: 24 queries\nfirst: irra_tiny_synth (weights " in text
    assert text.index("text-to-image: 24") < text.index("image-to-text: 12")
    for part in ("95 % interval", "middle 95 % of 500 resamples of the queries", "Seed 0.", "--by identity draws"):
        assert part in text
    assert main([*words, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["metric"] for row in rows] == [*METRICS, *METRICS]
    assert set(rows[0]) == {"direction", "metric", "first", "second", "difference", "from", "to", "p"}


def test_another_model_may_have_found_the_same(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = file_of(records, ONE)
    twin = one.with_name("twin.json")
    shutil.copy(queries_file(one), queries_file(twin))
    write_record(replace(read_record(one), model="twin"), twin)
    capsys.readouterr()
    assert main(["compare", str(one), str(twin), "--resamples", "200"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.endswith("Both found the same of every query.")
    assert "+0.00 +0.00 to +0.00 1.0000" in text


def test_the_same_record_twice_is_told(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = file_of(records, ONE)
    assert "are one and the same record; name another one" in refused(capsys, one, one)
    for file in (one, queries_file(one)):
        shutil.copy(file, file.with_name(file.name.replace(one.stem, "copy")))
    assert "are one and the same record" in refused(capsys, one, one.with_name("copy.json"))


Change = Callable[[Any], Any]

OTHERS: dict[str, tuple[Change, str]] = {
    "data set": (lambda record: replace(record, dataset="RSTPReid"), "different data sets, SynthPEDES and RSTPReid"),
    "split": (lambda record: replace(record, split="test"), "are of different splits, train and test"),
    "annotations": (
        lambda record: replace(record, dataset_sha256="0" * 64),
        "are of different annotations, ",
    ),
    "pictures": (lambda record: replace(record, pictures_sha256="0" * 64), "are of different pictures, "),
    "direction": (
        lambda record: replace(record, direction="image-to-text"),
        "are of different directions, text-to-image and image-to-text, so their queries are no pairs; measure both on",
    ),
    "queries": (lambda record: replace(record, queries=23), "are of different numbers of queries, 24 and 23"),
    "gallery": (lambda record: replace(record, gallery=11), "are of different galleries, 12 and 11"),
    "kept queries": (
        lambda record: replace(record, queries_sha256=None),
        "keeps nothing of single queries, as records written by an older version; measure it again: tipr-zoo eval"
        " fmfa_tiny_synth --data DIR --split train --records DIR",
    ),
    "hash": (lambda record: replace(record, queries_sha256="0" * 64), "was written with (another hash); measure it"),
    "figures": (
        lambda record: replace(record, metrics={**record.metrics, "mAP": 1.0}),
        "does not give the figures of",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "says"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_pair_is_told(records: Path, capsys: pytest.CaptureFixture[str], change: Change, says: str) -> None:
    one, other = file_of(records, ONE), file_of(records, OTHER)
    write_record(change(read_record(other)), other)
    line = refused(capsys, one, other)
    assert says in line
    assert other.name in line


def _rewritten(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change what is kept of the queries, and let the record name its new hash."""
    arrays = {name: array.copy() for name, array in safetensors.numpy.load_file(queries_file(file)).items()}
    arrays = change(arrays) or arrays
    safetensors.numpy.save_file(arrays, queries_file(file))
    write_record(replace(read_record(file), queries_sha256=file_sha256(queries_file(file))), file)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another order": (
        lambda arrays: arrays.update(queries_sha256=np.zeros(32, np.uint8)),
        "have other queries, or the same in another order",
    ),
    "other persons": (
        lambda arrays: arrays.update(identity=arrays["identity"][::-1].copy()),
        "have other queries, or the same in another order",
    ),
    "one query fewer": (
        lambda arrays: {name: array[: len(array) - (len(array) < 32)].copy() for name, array in arrays.items()},
        "does not give the figures of",
    ),
    "other ranks": (lambda arrays: arrays["first_rank"].fill(1), "does not give the figures of"),
    "NaN": (lambda arrays: arrays["average_precision"].fill(np.nan), "does not give the figures of"),
    "other types": (
        lambda arrays: arrays.update(first_rank=arrays["first_rank"].astype(np.float32)),
        "does not give the figures of",
    ),
    "an entry fewer": (lambda arrays: arrays.pop("identity") * 0, "does not give the figures of"),
    "two dimensions": (
        lambda arrays: {
            name: array if name == "queries_sha256" else array[:, None].copy() for name, array in arrays.items()
        },
        "does not give the figures of",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "says"), WRONG.values(), ids=WRONG)
def test_what_is_kept_and_does_not_fit_is_told(
    records: Path, capsys: pytest.CaptureFixture[str], change: Callable[[dict[str, Any]], Any], says: str
) -> None:
    other = file_of(records, OTHER)

    def only_dicts(arrays: dict[str, Any]) -> Any:
        changed = change(arrays)
        return changed if isinstance(changed, dict) else None

    _rewritten(other, only_dicts)
    assert says in refused(capsys, file_of(records, ONE), other)


def test_a_file_that_is_missing_cut_off_or_something_else_is_told(
    records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = file_of(records, ONE), file_of(records, OTHER)
    content = queries_file(other).read_bytes()
    queries_file(other).write_bytes(content[:-1])
    assert "(another hash); measure it again: tipr-zoo eval" in refused(capsys, one, other)
    queries_file(other).write_bytes(content * 50)
    assert "cannot be read" in refused(capsys, one, other)
    queries_file(other).write_bytes(b"{}")
    write_record(replace(read_record(other), queries_sha256=file_sha256(queries_file(other))), other)
    assert "does not give the figures of" in refused(capsys, one, other)
    queries_file(other).unlink()
    assert f"{queries_file(other)}: is missing, and {other} names it; measure it again" in refused(capsys, one, other)
    queries_file(other).mkdir()
    assert "cannot be read" in refused(capsys, one, other)


def test_a_folder_with_the_records_of_one_evaluation_stands_for_them(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in (ONE, OTHER):
        (tmp_path / model).mkdir()
        for file in records.glob(f"{model}_*"):
            shutil.copy(file, tmp_path / model)
    by_folder = compared(capsys, tmp_path / ONE, tmp_path / OTHER)
    assert by_folder == compared(capsys, file_of(records, ONE), file_of(records, OTHER))
    assert len(by_folder) == 2
    line = refused(capsys, tmp_path / ONE, records)
    assert f"{records}: the folder holds 4 records, " in line
    assert "name one record, or a folder with those of one evaluation" in line
    (tmp_path / "none").mkdir()
    assert "the folder holds no record; name one" in refused(capsys, tmp_path / ONE, tmp_path / "none")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--seed", "-1"], "the seed must be a whole number from 0 to"),
        (["--resamples", "99"], "the number of resamples must be a whole number from 100, got 99"),
        (["--resamples", "0"], "the number of resamples must be"),
        (["--by", "person"], "what is drawn must be 'query' or 'identity', got 'person'"),
        (["--seed", "x"], "--seed"),
    ],
)
def test_options_that_make_no_sense_are_told(
    measured: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert says in refused(capsys, file_of(measured, ONE), file_of(measured, OTHER), *words)


def test_what_is_no_record_is_told(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = file_of(records, ONE)
    assert "none.json: cannot be read as a record" in refused(capsys, one, tmp_path / "none.json")
    assert "cannot be read as a record" in refused(capsys, one, queries_file(one))


def test_the_cards_own_records_are_older_and_say_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    folder = load_card(ONE).path.parent / "records"
    one, other = (next(folder.glob(f"{model}_synthpedes_seed0.json")) for model in (ONE, OTHER))
    assert read_record(one).queries_sha256 is None
    assert "measure it again: tipr-zoo eval irra_tiny_synth" in refused(capsys, one, other)


def test_a_card_has_its_records_with_what_was_found_of_each_query(measured: Path, tmp_path: Path) -> None:
    model = NewModel(
        "mine", config="irra_tiny_synth.py", datasets=("SynthPEDES",), records=(file_of(measured, ONE),),
        weights=load_card(ONE).path.parent / "weights" / f"{ONE}.safetensors",
    )  # fmt: skip
    write_card(model, tmp_path)
    (record,) = (tmp_path / "records").glob("*.json")
    kept = read_record(record).queries_sha256
    assert kept is not None
    assert file_sha256(record.with_suffix(".queries.safetensors")) == kept
