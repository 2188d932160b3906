"""A table of pictures and captions is a data set, whoever wrote it in whichever program."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tipr_zoo.datasets import CustomDataset, PersonDataset, open_dataset
from tipr_zoo.datasets.tables.annotations import split_by_rule
from tipr_zoo.datasets.tables.columns import COLUMNS
from tipr_zoo.errors import DataError

Rows = list[dict[str, Any]]

ROWS: Rows = [
    {"image": "ann/1.png", "caption": 'A man in a "Lions" shirt, walking.', "identity": "ann", "split": "test"},
    {"image": "ann/1.png", "caption": "Ein Mann mit Hüten.", "identity": "ann", "split": "test"},
    {"image": "ann/2.png", "caption": "A man; he runs.", "identity": "ann", "split": "test"},
    {"image": "ben/1.png", "caption": "A woman\nin red.", "identity": "Ben", "split": "test"},
    {"image": "eve/1.png", "caption": "A girl.", "identity": "eve", "split": "train"},
]


def delimited(rows: Rows, delimiter: str = ",", ending: str = "\n") -> str:
    def cell(value: Any) -> str:
        return '"' + str(value).replace('"', '""') + '"'

    lines = [rows[0], *(row.values() for row in rows)]
    return "".join(delimiter.join(map(cell, line)) + ending for line in lines)


def lines_of_json(rows: Rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def windows_paths(rows: Rows) -> Rows:
    return [{**row, "image": row["image"].replace("/", "\\")} for row in rows]


def without_splits(rows: Rows) -> Rows:
    return [{key: value for key, value in row.items() if key != "split"} for row in rows]


def captions_together(rows: Rows) -> Rows:
    images = dict.fromkeys(row["image"] for row in rows)
    return [
        {**next(r for r in rows if r["image"] == image), "caption": [r["caption"] for r in rows if r["image"] == image]}
        for image in images
    ]


FORMATS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "CSV": ("people.csv", lambda: delimited(ROWS).encode()),
    "CSV with semicolons": ("people.csv", lambda: delimited(ROWS, ";").encode()),
    "CSV with tabs": ("people.csv", lambda: delimited(ROWS, "\t").encode()),
    "CSV with Windows line ends and a mark": ("people.csv", lambda: delimited(ROWS, ending="\r\n").encode("utf-8-sig")),
    "Unicode text of Excel": ("people.csv", lambda: delimited(ROWS, "\t", "\r\n").encode("utf-16")),
    "CSV with Windows paths": ("PEOPLE.CSV", lambda: delimited(windows_paths(ROWS)).encode()),
    "CSV with empty lines": ("people.csv", lambda: (delimited(ROWS) + "\n,,,\n").encode()),
    "CSV with empty lines above": ("people.csv", lambda: ("\n,,,\n" + delimited(ROWS)).encode()),
    "CSV with Excel's line about the separator": (
        "people.csv",
        lambda: ("sep=;\r\n" + delimited(ROWS, ";", "\r\n")).encode("utf-8-sig"),
    ),
    "TSV": ("people.tsv", lambda: delimited(ROWS, "\t").encode()),
    "JSON Lines": ("people.jsonl", lambda: lines_of_json(ROWS).encode()),
    "JSON Lines with Windows line ends": ("people.jsonl", lambda: lines_of_json(ROWS).replace("\n", "\r\n").encode()),
    "JSON": ("people.json", lambda: json.dumps(ROWS).encode()),
    "JSON with lists of captions": ("people.json", lambda: json.dumps(captions_together(ROWS)).encode()),
    "JSON of annotations": ("people.json", lambda: json.dumps({"annotations": ROWS}).encode("utf-8-sig")),
    "JSON by split": (
        "people.json",
        lambda: json.dumps({"train": without_splits(ROWS[4:]), "test": without_splits(ROWS[:4])}).encode(),
    ),
}


def write_pictures(folder: Path, rows: Rows = ROWS) -> Path:
    for row in rows:
        (folder / row["image"]).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 8)).save(folder / row["image"])
    return folder


def write_csv(folder: Path, rows: Rows = ROWS, pictures: Rows | None = None) -> Path:
    write_pictures(folder, rows if pictures is None else pictures)
    (folder / "people.csv").write_text(delimited(rows), encoding="utf-8")
    return folder / "people.csv"


def message_of(call: Callable[[], Any]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", [None, "custom"], ids=["recognised", "named"])
@pytest.mark.parametrize("is_file", [False, True], ids=["folder", "file"])
@pytest.mark.parametrize(("file", "content"), FORMATS.values(), ids=FORMATS)
def test_every_format_is_read_alike(
    tmp_path: Path, file: str, content: Callable[[], bytes], is_file: bool, name: str | None
) -> None:
    write_pictures(tmp_path)
    (tmp_path / file).write_bytes(content())
    dataset = open_dataset(tmp_path / file if is_file else tmp_path, name, split="test")
    assert isinstance(dataset, CustomDataset)
    assert (dataset.name, dataset.splits) == ("custom", ("train", "test"))
    assert dataset.pictures == [tmp_path / "ann/1.png", tmp_path / "ann/2.png", tmp_path / "ben/1.png"]
    assert dataset.captions == [row["caption"] for row in ROWS[:4]]
    assert dataset.caption_picture_indices == [0, 0, 1, 2]
    assert [dataset.identity_names[number] for number in dataset.picture_ids] == ["ann", "ann", "Ben"]
    assert dataset.picture_ids == [1, 1, 0]  # texts are numbered in sorted order, capitals first
    assert dataset.annotation_file == tmp_path / file
    assert open_dataset(tmp_path, split="train").captions == ["A girl."]


@pytest.mark.parametrize(
    ("field", "spelling"), [(field, spelling) for field, spellings in COLUMNS.items() for spelling in spellings]
)
def test_columns_go_by_several_spellings(tmp_path: Path, field: str, spelling: str) -> None:
    shown = spelling.replace("_", " ").title()
    rows = [{(shown if key == field else key): value for key, value in row.items()} for row in ROWS]
    write_pictures(tmp_path)
    (tmp_path / "people.csv").write_text(delimited(rows), encoding="utf-8")
    assert len(open_dataset(tmp_path).captions) == 4


@pytest.mark.parametrize("spelling", ["test", "TEST", "Testing"])
def test_splits_go_by_several_spellings(tmp_path: Path, spelling: str) -> None:
    assert len(open_dataset(write_csv(tmp_path, [{**row, "split": spelling} for row in ROWS])).pictures) == 4


@pytest.mark.parametrize("folder", ["imgs", "images", "pictures"])
def test_pictures_may_lie_in_a_folder_beside_the_table(tmp_path: Path, folder: str) -> None:
    write_pictures(tmp_path / folder)
    write_csv(tmp_path, pictures=[])
    assert open_dataset(tmp_path).picture_folder == tmp_path / folder


def test_pictures_may_lie_anywhere(tmp_path: Path) -> None:
    rows = [{**row, "image": f"{tmp_path}/far/{row['image']}"} for row in ROWS]
    (tmp_path / "here").mkdir()
    file = write_csv(tmp_path / "here", rows)
    assert open_dataset(file).pictures[0] == tmp_path / "far/ann/1.png"


@pytest.mark.parametrize(
    ("identities", "numbers"),
    [
        (["12", "12", "12", "3", "4"], [12, 12, 3, 4]),
        (["7", "7", "7", "007", "8"], [1, 1, 0, 2]),  # 7 and 007 may be two people
        (["p10", "p10", "p10", "p9", "p8"], [0, 0, 2, 1]),
        (["9" * 19, "9" * 19, "9" * 19, "4", "3"], [2, 2, 1, 0]),  # more than 64 bits hold
        (["9" * 5000, "9" * 5000, "9" * 5000, "4", "3"], [2, 2, 1, 0]),  # more than Python reads as a number
    ],
)
def test_identities_are_numbers_or_texts(tmp_path: Path, identities: list[str], numbers: list[int]) -> None:
    rows = [{**row, "identity": identity} for row, identity in zip(ROWS, identities, strict=True)]
    assert open_dataset(write_csv(tmp_path, rows), split="all").picture_ids == numbers


def test_numbers_of_json_are_identities(tmp_path: Path) -> None:
    rows = [{**row, "identity": identity} for row, identity in zip(ROWS, [4, 4, 4.0, 3, 2], strict=True)]
    write_pictures(tmp_path)
    (tmp_path / "people.json").write_text(json.dumps(rows))
    assert open_dataset(tmp_path).picture_ids == [4, 4, 3]


# What a table leaves out is filled in by rule


def people(count: int) -> Rows:
    return [
        {"image": f"{number}.png", "caption": f"Person {number}.", "identity": f"p{number}"} for number in range(count)
    ]


def splits_of(folder: Path, rows: Rows) -> dict[str, str]:
    folder.mkdir()
    dataset = open_dataset(write_csv(folder, rows, pictures=rows[:1]), split="all")
    return {dataset.identity_names[record.identity]: record.split for record in dataset.records}


def test_without_splits_identities_are_dealt_by_a_hash_of_their_own(tmp_path: Path) -> None:
    splits = splits_of(tmp_path / "all", people(1000))
    shares = [list(splits.values()).count(split) for split in ("train", "val", "test")]
    assert shares == pytest.approx([800, 100, 100], abs=40)
    fewer = splits_of(tmp_path / "fewer", people(1000)[::-3])
    assert fewer == {name: split for name, split in splits.items() if name in fewer}
    assert split_by_rule("p0") == splits["p0"]
    assert [split_by_rule(name) for name in ("ann", "8", "36")] == ["train", "test", "val"]


def test_whole_numbers_with_a_decimal_point_are_dealt_as_without(tmp_path: Path) -> None:
    rows = [{"image": f"{n}.png", "caption": f"Person {n}.", "identity": f"{n // 2}"} for n in range(40)]
    mixed = [{**row, "identity": row["identity"] + ".0" * (n % 2)} for n, row in enumerate(rows)]
    for name, each in (("plain", rows), ("mixed", mixed)):
        (tmp_path / name).mkdir()
        write_csv(tmp_path / name, each, pictures=rows)
    plain, other = (open_dataset(tmp_path / name, split="all") for name in ("plain", "mixed"))
    assert [(record.identity, record.split) for record in other.records] == [
        (record.identity, record.split) for record in plain.records
    ]


def warnings_of(caplog: pytest.LogCaptureFixture, call: Callable[[], PersonDataset]) -> tuple[PersonDataset, list[str]]:
    with caplog.at_level(logging.WARNING, logger="tipr_zoo"):
        dataset = call()
    return dataset, [record.getMessage() for record in caplog.records if record.name == "tipr_zoo"]


def test_each_rule_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"image": row["image"], "caption": row["caption"]} for row in ROWS]
    file = write_csv(tmp_path, rows)
    dataset, warnings = warnings_of(caplog, lambda: open_dataset(file, split="all"))
    assert dataset.picture_ids == [0, 1, 2, 3]
    assert warnings == [
        f"{file} has no identities: each picture is a person of its own, so that other pictures of the same person"
        " count as wrong",
        f"{file} has no splits: pictures are dealt to train, val and test 80/10/10 by a hash of each; split 'all' takes"
        " every record",
    ]
    _, warnings = warnings_of(caplog, lambda: open_dataset(file, split="all"))
    assert len(warnings) == 2


def test_a_whole_table_needs_no_rule(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert warnings_of(caplog, lambda: open_dataset(write_csv(tmp_path)))[1] == []


def test_an_empty_split_points_at_all(tmp_path: Path) -> None:
    message = message_of(lambda: open_dataset(write_csv(tmp_path), split="val"))
    assert message.endswith(
        "no record of split 'val'; records by split: train (1), test (3); split 'all' takes them all"
    )


# What is wrong with a table


def broken(folder: Path, content: str | bytes, file: str = "people.csv") -> str:
    (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)
    return message_of(lambda: open_dataset(folder))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("imge,caption", "has no column for the image: unknown column 'imge'; did you mean 'image'"),
        ("image,captoin,id", "has no column for the caption: unknown column 'captoin'; did you mean 'caption'"),
        (
            "a,b",
            "has no column for the image; its columns are 'a', 'b': name one of them 'image' (also read: image_path",
        ),
        ("image,text,caption", "has two columns for the caption: 'text' and 'caption'; remove or rename one"),
        ("image,caption,x,x", "has two columns 'x'; remove or rename one"),
    ],
)
def test_columns_that_are_not_there_get_close_matches(tmp_path: Path, header: str, expected: str) -> None:
    assert expected in broken(tmp_path, f"{header}\n1.png,A man.,1,2\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ann/1.png,A man, in red,ann,test", "people.csv, line 2: it has 5 cells, though there are 4"),
        ("ann/1.png,,ann,test", "line 2 for 'ann/1.png': its caption is empty; write one, or remove the record"),
        (",A man.,ann,test", "line 2: its 'image' is empty; fill it in, or remove the row"),
        ("ann/1.png,A man.,,test", "line 2 for 'ann/1.png': its 'identity' is empty"),
        ("ann/1.png,A man.,ann,", "line 2 for 'ann/1.png': its 'split' is empty"),
        ("ann/1.png,A man.,ann,tset", "its split is 'tset'; write one of train, val, test"),
        ("../1.png,A man.,ann,test", "'../1.png' leads out of the picture folder"),
        ("1.png,A.,a,test\n1.png,B.,b,test", "line 3 for '1.png': its identity is 'b', and 'a' in line 2 of the same"),
        ("1.png,A.,a,test\n1.png,B.,a,val", "line 3 for '1.png': its split is 'val', and 'test' in line 2 of the same"),
    ],
)
def test_a_row_that_makes_no_sense_is_named(tmp_path: Path, line: str, expected: str) -> None:
    assert expected in broken(tmp_path, f"image,caption,identity,split\n{line}\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is empty; write a line of column names"),
        ("image,caption\n", "holds no rows"),
        ('image,caption\n1.png,"A man\n2.png,A woman\n', "people.csv is broken in the row that begins on line 2"),
        ('"image,caption\n' + "1.png,A man\n" * 20_000, "people.csv is broken in the row that begins on line 1"),
        (b"PK\x03\x04\x14\x00", "people.csv is a spreadsheet or a zip file under another name"),
        (
            "image,caption\n1.png,caf\xe9\n".encode("latin-1"),
            "is not UTF-8 at byte 23: save it as UTF-8, or, if it is from",
        ),
        ("image,caption\n1.png,A.\n".encode("utf-16-le")[:-1], "holds zero bytes, as UTF-16 without its mark"),
        (
            b"\xff\xfe" + "image,caption\n".encode("utf-16-le") + b"x",
            "begins as UTF-16 and is not at byte 30; copy it again",
        ),
    ],
    ids=[
        "zero bytes",
        "no rows",
        "open quote",
        "open quote above",
        "spreadsheet",
        "another encoding",
        "no mark",
        "cut off",
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert expected in broken(tmp_path, content)


def test_the_printed_command_mends_the_encoding(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    message = broken(tmp_path, delimited(ROWS).encode("windows-1252"))
    command = message.partition("from Excel on Windows: ")[2]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert open_dataset(tmp_path).captions[1] == "Ein Mann mit Hüten."


def test_a_broken_line_of_json_is_named(tmp_path: Path) -> None:
    message = broken(tmp_path, '{"image": "1.png", "caption": "A."}\n{"image"\n', "people.jsonl")
    assert "people.jsonl is broken JSON at line 2" in message


@pytest.mark.parametrize(
    ("file", "content"),
    [("people.json", lines_of_json(ROWS)), ("people.jsonl", json.dumps(ROWS, indent=1))],
    ids=["JSON Lines", "JSON"],
)
def test_the_printed_command_mends_a_wrong_ending(tmp_path: Path, file: str, content: str) -> None:
    write_pictures(tmp_path)
    message = broken(tmp_path, content, file)
    subprocess.run(message.partition("rename it: ")[2], shell=True, check=True)
    assert open_dataset(tmp_path).captions[1] == "Ein Mann mit Hüten."


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("field", ["image", "caption", "identity"])
def test_half_a_character_is_named(tmp_path: Path, field: str, suffix: str) -> None:
    row = {**ROWS[0], field: "\ud83d"}
    content = json.dumps([row]) if suffix == ".json" else json.dumps(row)
    assert "has the escape '\\ud83d', half of a character" in broken(tmp_path, content, f"people{suffix}")


def test_several_tables_need_to_be_named(tmp_path: Path) -> None:
    file = write_csv(tmp_path)
    (tmp_path / "more.json").write_text(json.dumps(ROWS))
    assert open_dataset(file).annotation_file == file
    message = message_of(lambda: open_dataset(tmp_path))
    assert "holds several tables: more.json, people.csv; name the file that is meant" in message


def test_a_file_of_something_else_in_the_folder_does_no_harm(tmp_path: Path) -> None:
    write_csv(tmp_path)
    (tmp_path / "settings.json").write_text('{"a": 1}')
    assert open_dataset(tmp_path).name == "custom"


@pytest.mark.parametrize("file", ["people.txt", "people.xlsx"])
def test_a_file_of_another_kind_says_what_is_read(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("image,caption\n")
    for name in (None, "custom"):
        message = message_of(lambda name=name: open_dataset(tmp_path / file, name))
        assert f"{tmp_path / file} is no table that is read here" in message
        assert "save it as one that ends in .csv, .tsv, .jsonl, .json" in message


def test_a_part_of_a_published_data_set_is_not_taken_for_a_table(tmp_path: Path) -> None:
    file = tmp_path / "processed_data/test.json"
    file.parent.mkdir()
    file.write_text(json.dumps(ROWS))
    assert "is a file; name the folder that holds the data set" in message_of(lambda: open_dataset(file))
