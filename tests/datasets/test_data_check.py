"""`tipr-zoo data check` finds what makes a data set unusable, and what is merely odd."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tipr_zoo.commands import data_check
from tipr_zoo.datasets import CheckReport, check_dataset
from tipr_zoo.datasets.checks.decoding import unreadable_pictures
from tipr_zoo.errors import DataError

Change = Callable[[Path, list[dict[str, Any]]], Any]


def dataset(folder: Path, change: Change | None = None, annotations: str = "reid_raw.json") -> Path:
    """A whole SynthPEDES of two people a split, each with two pictures of two captions, after `change`."""
    records = []
    for identity in range(1, 7):
        for shot in range(2):
            name = f"cam_{shot}/{identity}_{shot}.jpg"
            (folder / "imgs" / name).parent.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((16, 32), 60).convert("RGB").save(folder / "imgs" / name)
            captions = [f"Person {identity}, picture {shot}, sentence {number}." for number in range(2)]
            split = ("train", "val", "test")[(identity - 1) // 2]
            records.append({"split": split, "id": identity, "file_path": name, "captions": captions})
    counts = {"identities": 2, "pictures": 4, "captions": 8}
    (folder / "synthpedes.json").write_text(json.dumps({"splits": dict.fromkeys(("train", "val", "test"), counts)}))
    if change is not None:
        change(folder, records)
    (folder / annotations).write_text(json.dumps(records))
    return folder


def kinds(findings: list) -> Counter[str]:
    return Counter(finding.kind for finding in findings)


def check(folder: Path, change: Change | None = None) -> CheckReport:
    return check_dataset(dataset(folder, change))


def test_a_whole_data_set_has_no_findings(tmp_path: Path) -> None:
    report = check(tmp_path)
    assert (report.name, report.decoded) == ("SynthPEDES", 12)
    assert report.picture_folder == tmp_path / "imgs"
    assert (report.problems, report.notes) == ([], [])
    assert [(row.split, row.quantity, row.found, row.published, row.verdict) for row in report.rows[:3]] == [
        ("train", "identities", 2, 2, "same"),
        ("train", "pictures", 4, 4, "same"),
        ("train", "captions", 8, 8, "same"),
    ]
    assert len(report.rows) == 9


def test_counts_are_compared_with_the_published_ones(tmp_path: Path) -> None:
    dataset(tmp_path, lambda folder, records: (folder / "synthpedes.json").unlink())
    report = check_dataset(tmp_path)
    assert report.name == "CUHK-PEDES"
    row = report.rows[6]
    assert (row.split, row.quantity, row.found, row.published) == ("test", "identities", 2, 1000)
    assert {row.verdict for row in report.rows} == {"differs"}
    assert "test: 2 identities, published 1,000" in [problem.message for problem in report.problems]


def test_a_split_that_was_not_published_is_no_problem(tmp_path: Path) -> None:
    dataset(tmp_path, annotations="ICFG-PEDES.json")
    verdicts = {row.split: row.verdict for row in check_dataset(tmp_path).rows}
    assert verdicts == {"train": "differs", "val": "not published", "test": "differs"}


def test_annotations_that_were_changed_after_drawing_are_a_problem(tmp_path: Path) -> None:
    file, about = dataset(tmp_path) / "reid_raw.json", tmp_path / "synthpedes.json"
    stated = json.loads(about.read_text()) | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    about.write_text(json.dumps(stated))
    assert check_dataset(tmp_path).problems == []
    file.write_text(file.read_text() + "\n")
    problems = check_dataset(tmp_path).problems
    assert kinds(problems) == {"annotations changed": 1}
    assert "does not have the sha256" in problems[0].message


def test_a_file_of_counts_without_counts_is_an_error(tmp_path: Path) -> None:
    (dataset(tmp_path) / "synthpedes.json").write_text("{}")
    with pytest.raises(DataError, match=r"synthpedes\.json does not say under 'splits' how many"):
        check_dataset(tmp_path)


PROBLEMS: dict[str, tuple[Change, str, str]] = {
    "a missing picture": (
        lambda folder, records: (folder / "imgs/cam_1/6_1.jpg").unlink(),
        "missing picture",
        "no picture at {folder}/imgs/cam_1/6_1.jpg; copy it there",
    ),
    "zero bytes": (
        lambda folder, records: (folder / "imgs/cam_1/6_1.jpg").write_bytes(b""),
        "unreadable picture",
        "{folder}/imgs/cam_1/6_1.jpg is empty (0 bytes)",
    ),
    "a truncated picture": (
        lambda folder, records: (folder / "imgs/cam_1/6_1.jpg").write_bytes(
            (folder / "imgs/cam_1/6_1.jpg").read_bytes()[:-60]
        ),
        "unreadable picture",
        "{folder}/imgs/cam_1/6_1.jpg is truncated or damaged",
    ),
    "an identity in two splits": (
        lambda folder, records: records[-1].update(split="train"),
        "identity in several splits",
        "identity 6 is in train and test: nobody may be in two splits",
    ),
    "a picture of two people": (
        lambda folder, records: records[-1].update(file_path=records[-3]["file_path"]),
        "picture with several identities",
        "cam_1/5_1.jpg is annotated with the identities 5, 6: keep the right one",
    ),
    "an empty caption": (
        lambda folder, records: records[-1].update(captions=["  "]),
        "empty caption",
        "record 11 (counted from 0) for 'cam_1/6_1.jpg': caption 0 is empty",
    ),
    "a missing field": (
        lambda folder, records: records[0].pop("id"),
        "missing field",
        "record 0 (counted from 0) for 'cam_0/1_0.jpg': it has no 'id'",
    ),
    "no picture at all": (
        lambda folder, records: (folder / "imgs").rename(folder / "pictures"),
        "missing pictures",
        "none of the 12 pictures",
    ),
}


@pytest.mark.parametrize(("change", "kind", "message"), PROBLEMS.values(), ids=PROBLEMS)
def test_each_problem_is_found_and_named(tmp_path: Path, change: Change, kind: str, message: str) -> None:
    report = check(tmp_path, change)
    assert kinds(report.problems)[kind] == 1
    if kind in ("missing picture", "unreadable picture"):
        assert report.decoded == 11
    assert any(message.format(folder=tmp_path) in problem.message for problem in report.problems)


def copy(folder: Path, source: dict[str, Any], target: dict[str, Any]) -> None:
    """Make the picture of one record that of another."""
    (folder / "imgs" / target["file_path"]).write_bytes((folder / "imgs" / source["file_path"]).read_bytes())


NOTES: dict[str, tuple[Change, str, str]] = {
    "a picture without a record": (
        lambda folder, records: Image.new("L", (4, 8)).save(folder / "imgs/stray.png"),
        "picture without a record",
        "{folder}/imgs/stray.png is in no record",
    ),
    "a picture that cannot be decoded here": (
        lambda folder, records: (folder / "imgs/stray.jxl").touch(),
        "pictures left out",
        "1 picture is left out, in formats that cannot be decoded here: 1 .jxl (save as JPEG or PNG);"
        " {folder}/imgs/stray.jxl",
    ),
    "a shared caption": (
        lambda folder, records: records[-1].update(captions=records[-3]["captions"]),
        "caption of several identities",
        "'Person 5, picture 1, sentence 0.' describes the identities 5, 6 of test",
    ),
    "a picture with two records": (
        lambda folder, records: records[-1].update(file_path=records[-2]["file_path"]),
        "picture with several records",
        "cam_0/6_0.jpg has the records 10, 11",
    ),
    "a picture twice": (
        lambda folder, records: copy(folder, records[0], records[1]),
        "same picture twice",
        "cam_0/1_0.jpg and cam_1/1_1.jpg are the same bytes",
    ),
    "one picture for two people": (
        lambda folder, records: copy(folder, records[0], records[-1]),
        "same picture of several identities",
        "cam_0/1_0.jpg and cam_1/6_1.jpg are the same bytes, though of the identities 1, 6 in test and train",
    ),
    "Chinese characters": (
        lambda folder, records: records[0].update(captions=["A man 穿着 in a café.", "Fine."]),
        "letters of a foreign script",
        "reid_raw.json, record 0 (counted from 0), caption 0: 穿着 in 'A man 穿着 in a café.'",
    ),
    "a tag": (
        lambda folder, records: records[0].update(captions=["Fine.", "A man in <b>red</b>."]),
        "stray code in a caption",
        "reid_raw.json, record 0 (counted from 0), caption 1: '<b>' in 'A man in <b>red</b>.'",
    ),
    "a long caption": (
        lambda folder, records: records[0].update(captions=["red, " * 38, "Fine."]),
        "caption over 77 tokens",
        "record 0 (counted from 0), caption 0: 38 words are at least 78 tokens, so that its end is not read",
    ),
    "renumbered identities": (
        lambda folder, records: [record.update(id=record["id"] - 1) for record in records],
        "identities renumbered",
        "identities begin at 0; the published file's begin at 1",
    ),
}


@pytest.mark.parametrize(("change", "kind", "message"), NOTES.values(), ids=NOTES)
def test_oddities_are_noted_and_are_no_problem(tmp_path: Path, change: Change, kind: str, message: str) -> None:
    report = check(tmp_path, change)
    assert report.problems == []
    assert kind in kinds(report.notes)
    assert any(message.format(folder=tmp_path) in note.message for note in report.notes)


@pytest.mark.parametrize(
    "caption", ["A café, naïve: 100% wool & <3 {ok", "red " * 75, "A man with a Ø of 5 µm.", "He wears “quotes”…"]
)
def test_captions_of_any_kind_are_no_oddity(tmp_path: Path, caption: str) -> None:
    assert check(tmp_path, lambda folder, records: records[0].update(captions=[caption, "Fine."])).notes == []


@pytest.mark.parametrize(
    "code", ["<br/>", "&amp;", "&#39;", "\\n", "\\u4e00", "_x000D_", "https://a.b/c", "{}", "\ufffd"]
)
def test_stray_code_is_quoted(tmp_path: Path, code: str) -> None:
    report = check(tmp_path, lambda folder, records: records[0].update(captions=[f"A man {code} in red."]))
    (note,) = report.notes
    assert (note.kind, repr(code) in note.message) == ("stray code in a caption", True)


def test_many_processes_find_what_one_does(tmp_path: Path) -> None:
    pictures = sorted((dataset(tmp_path) / "imgs").rglob("*.jpg")) * 20
    pictures[3].write_bytes(b"")
    expected = unreadable_pictures(pictures, progress=False, workers=1)
    assert len(expected) == 20
    assert unreadable_pictures(pictures, progress=False, workers=2) == expected


def test_a_custom_data_set_is_checked_by_the_names_it_has(tmp_path: Path) -> None:
    dataset(tmp_path)
    (tmp_path / "reid_raw.json").unlink()
    (tmp_path / "synthpedes.json").unlink()
    lines = ["image,caption,person,split,camera"]
    lines += [f"cam_{shot}/{number}_{shot}.jpg,A man.,p{number},train,7" for number in (1, 2) for shot in (0, 1)]
    lines.append("cam_0/3_0.jpg,A man.,p1,test,7")
    (tmp_path / "people.csv").write_text("\n".join(lines))
    report = check_dataset(tmp_path)
    assert (report.name, report.layout, report.decoded) == ("custom", "a table", 5)
    assert [problem.message for problem in report.problems] == [
        "identity p1 is in train and test: nobody may be in two splits"
    ]
    notes = {note.kind: note.message for note in report.notes}
    assert notes["column not read"] == f"{tmp_path}/people.csv: column 'camera' is none of those that are read"
    assert notes["caption of several identities"] == "'A man.' describes the identities p1, p2 of train"
    assert "picture without a record" in notes
    assert {row.verdict for row in report.rows} == {"not published"}


def test_annotations_that_were_not_read_are_noted(tmp_path: Path) -> None:
    dataset(tmp_path, annotations="data_captions.json")
    (tmp_path / "val_reid.json").write_text("[]")
    (note,) = check_dataset(tmp_path).notes[:1]
    assert note.kind == "other annotations beside"
    assert note.message == f"{tmp_path}/val_reid.json (TBPS-CLIP's layout) is there, too; not read"


def test_rules_are_noted(tmp_path: Path) -> None:
    Image.new("L", (4, 8)).save(tmp_path / "a.png")
    (tmp_path / "people.jsonl").write_text('{"image": "a.png", "caption": "A man."}')
    report = check_dataset(tmp_path)
    assert report.problems == []
    assert [note.kind for note in report.notes] == ["filled in by rule"] * 2


def test_totals_are_compared_where_only_they_were_published(tmp_path: Path) -> None:
    dataset(tmp_path, annotations="UFine6926.json")
    totals = [(row.split, row.found, row.published, row.verdict) for row in check_dataset(tmp_path).rows[-3:]]
    assert totals == [
        ("all", 6, 6926, "differs"),
        ("all", 12, 26206, "differs"),
        ("all", 24, 52412, "differs"),
    ]


def test_pictures_of_every_pixel_type_are_readable(tmp_path: Path) -> None:
    def repaint(folder: Path, records: list[dict[str, Any]]) -> None:
        pictures = [
            Image.frombytes("I;16", (2, 2), bytes(8)),
            Image.new("L", (2, 2)),
            Image.new("RGBA", (2, 2)),
            Image.new("CMYK", (2, 2)),
        ]
        for record, picture, suffix in zip(records, pictures, (".png", ".png", ".png", ".jpg"), strict=False):
            (folder / "imgs" / record["file_path"]).unlink()
            record["file_path"] = str(Path(record["file_path"]).with_suffix(suffix))
            picture.save(folder / "imgs" / record["file_path"])

    report = check(tmp_path, repaint)
    assert (report.decoded, report.problems) == (12, [])


def test_identities_may_begin_later_where_the_training_split_was_left_out(tmp_path: Path) -> None:
    def keep_test(folder: Path, records: list[dict[str, Any]]) -> None:
        records[:] = records[8:]

    assert "identities renumbered" not in kinds(check(tmp_path, keep_test).notes)


# The command


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    parser = argparse.ArgumentParser()
    data_check.add_arguments(parser)
    code = data_check.run(parser.parse_args(arguments))
    return code, capsys.readouterr().out


def test_the_exit_code_tells_whether_the_data_set_is_usable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, str(dataset(tmp_path)))
    assert code == 0
    assert text.startswith(f"SynthPEDES, the official layout\n  {tmp_path}/reid_raw.json\n")
    assert "No problems: the data set is usable." in text
    assert "12 decoded" in text
    (tmp_path / "imgs/cam_0/1_0.jpg").unlink()
    code, text = run(capsys, str(tmp_path))
    assert code == 1
    assert "missing picture" in text


def test_skipped_decoding_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset(tmp_path) / "imgs/cam_0/1_0.jpg").write_bytes(b"")
    code, text = run(capsys, str(tmp_path), "--no-decode")
    assert code == 0
    assert "not decoded (--no-decode), so broken ones are not found" in text
    assert check_dataset(tmp_path, decode=False).decoded is None


def test_json_lists_every_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset(tmp_path)
    for picture in (tmp_path / "imgs/cam_1").iterdir():
        picture.unlink()
    code, text = run(capsys, str(tmp_path))
    assert text.count("no picture at") == data_check.EXAMPLES_SHOWN
    assert text.rstrip().endswith("--json lists all of them.")
    code, text = run(capsys, str(tmp_path), "--json")
    content = json.loads(text)
    assert code == 1
    assert content["usable"] is False
    assert (content["name"], content["layout"]) == ("SynthPEDES", "the official layout")
    assert content["annotation_files"] == [f"{tmp_path}/reid_raw.json"]
    assert content["fixes"] == []
    assert content["rows"][0] == {
        "split": "train",
        "quantity": "identities",
        "found": 2,
        "published": 2,
        "verdict": "same",
    }
    assert len(content["problems"]) == 6
    assert content["problems"][0]["message"].startswith(f"no picture at {tmp_path}/imgs/cam_1/1_1.jpg")


def test_the_data_set_can_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset(tmp_path / "SynthPEDES")
    dataset(tmp_path / "RSTPReid", annotations="data_captions.json")
    code, text = run(capsys, str(tmp_path), "--name", "SynthPEDES")
    assert code == 0
    assert text.startswith("SynthPEDES")
