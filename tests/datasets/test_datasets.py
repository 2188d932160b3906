"""Each data set is read in each spelling it circulates in; whatever is wrong is named with its place and its fix."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tipr_zoo.datasets import (
    CUHKPEDES,
    ICFGPEDES,
    PersonDataset,
    RSTPReid,
    SplitCounts,
    SynthPEDES,
    open_dataset,
)
from tipr_zoo.datasets.arguments import dataset_arguments
from tipr_zoo.datasets.reading.json_files import read_json
from tipr_zoo.datasets.tables.rows import read_table
from tipr_zoo.errors import DataError, UnknownNameError
from tipr_zoo.registries import DATASETS

LAYOUTS = [
    ("CUHK-PEDES", "reid_raw.json", "file_path"),
    ("CUHK-PEDES", "CUHK-PEDES.json", "file_path"),
    ("ICFG-PEDES", "ICFG-PEDES.json", "file_path"),
    ("ICFG-PEDES", "ICFG_PEDES.json", "file_path"),
    ("RSTPReid", "data_captions.json", "img_path"),
    ("RSTPReid", "data_captions.json", "file_path"),
    ("SynthPEDES", "reid_raw.json", "file_path"),
    ("UFine6926", "UFine6926.json", "file_path"),
    ("UFine3C", "UFine3C.json", "file_path"),
]


def records(path_key: str = "file_path") -> list[dict[str, Any]]:
    """Three people: one to train with, two (7, then 3) to test with; person 7 has two pictures."""
    people = [("train", 1, "a"), ("test", 7, "b"), ("test", 7, "c"), ("test", 3, "d")]
    return [
        {
            "split": split,
            "id": identity,
            path_key: f"cam_{name}/{name}.png",
            "captions": [f"A person {name} walks.", f"Person {name} in red."],
            "processed_tokens": [["a", "person"], ["person"]],
        }
        for split, identity, name in people
    ]


def write(folder: Path, file: str = "reid_raw.json", entries: Any = None, path_key: str = "file_path") -> Path:
    """A data set on disk with one small picture for each of `records()`."""
    for record in records():
        picture = folder / "imgs" / record["file_path"]
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 8), "red").save(picture)
    content = entries if isinstance(entries, str) else json.dumps(records(path_key) if entries is None else entries)
    (folder / file).write_text(content, encoding="utf-8")
    return folder


def message_of(error: type[Exception], call: Callable[[], Any]) -> str:
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("below", [False, True], ids=["its own folder", "the folder above"])
@pytest.mark.parametrize(("name", "file", "path_key"), LAYOUTS)
def test_every_layout_is_recognised_and_read_alike(
    tmp_path: Path, name: str, file: str, path_key: str, below: bool
) -> None:
    folder = write(tmp_path / name if below else tmp_path, file, path_key=path_key)
    if name == "SynthPEDES":
        (folder / "synthpedes.json").write_text("{}")
    dataset = open_dataset(tmp_path, split="test")
    assert type(dataset) is DATASETS.get(name)
    assert (dataset.name, dataset.split, dataset.root) == (name, "test", tmp_path)
    assert dataset.pictures == [folder / "imgs" / path for path in ("cam_b/b.png", "cam_c/c.png", "cam_d/d.png")]
    assert dataset.picture_ids == [7, 7, 3]
    assert dataset.labels == [1, 1, 0]
    assert dataset.identity_count == 2
    assert dataset.captions[:3] == ["A person b walks.", "Person b in red.", "A person c walks."]
    assert dataset.caption_ids == [7, 7, 7, 7, 3, 3]
    assert dataset.caption_picture_indices == [0, 0, 1, 1, 2, 2]
    assert dataset.records[0].picture == "cam_b/b.png"
    assert dataset.records[0].number == 1


def test_pictures_may_lie_beside_the_annotations(tmp_path: Path) -> None:
    entries = [{**record, "file_path": f"imgs/{record['file_path']}"} for record in records()]
    dataset = CUHKPEDES(write(tmp_path, entries=entries))
    assert dataset.pictures[0] == tmp_path / "imgs/cam_b/b.png"


def test_paths_are_absolute_even_if_the_folder_is_named_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    dataset = open_dataset("data")
    assert dataset.root == Path("data")
    assert dataset.pictures[0] == tmp_path / "data/imgs/cam_b/b.png"


def test_a_data_set_is_built_from_a_config(tmp_path: Path) -> None:
    dataset = DATASETS.build({"type": "CUHK-PEDES", "root": write(tmp_path), "split": "train"})
    assert isinstance(dataset, CUHKPEDES)
    assert dataset.picture_ids == [1]


@pytest.mark.parametrize(
    ("dataset", "identities", "pictures", "captions"),
    [(CUHKPEDES, 13_003, 40_206, 80_440), (ICFGPEDES, 4_102, 54_522, 54_522), (RSTPReid, 4_101, 20_505, 41_010)],
)
def test_published_splits_add_up(dataset: type[PersonDataset], identities: int, pictures: int, captions: int) -> None:
    counts = dataset.specification.published.values()
    assert sum(count.identities for count in counts) == identities
    assert sum(count.pictures for count in counts) == pictures
    assert sum(count.captions for count in counts) == captions


def test_reading_needs_no_torch() -> None:
    code = "import sys, tipr_zoo.datasets; sys.exit('torch' in sys.modules or 'timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# What is named wrongly


def test_an_unknown_data_set_gets_close_matches(tmp_path: Path) -> None:
    message = message_of(UnknownNameError, lambda: open_dataset(write(tmp_path), name="cuhk-pedas"))
    assert "unknown data set 'cuhk-pedas'; did you mean 'CUHK-PEDES'" in message


def test_an_unknown_split_gets_close_matches(tmp_path: Path) -> None:
    message = message_of(UnknownNameError, lambda: open_dataset(write(tmp_path), split="tset"))
    assert "unknown split 'tset'; did you mean 'test'?" in message


def test_an_empty_split_lists_the_splits_there_are(tmp_path: Path) -> None:
    message = message_of(DataError, lambda: open_dataset(write(tmp_path), split="val"))
    assert f"{tmp_path}/reid_raw.json has no record of split 'val'" in message
    assert "records by split: train (1), test (3)" in message


def test_icfg_pedes_has_no_validation_split(tmp_path: Path) -> None:
    message = message_of(DataError, lambda: ICFGPEDES(write(tmp_path, "ICFG-PEDES.json"), split="val"))
    assert "ICFG-PEDES was published without it" in message


def test_a_missing_folder_and_a_file_are_told_apart(tmp_path: Path) -> None:
    for name in (None, "RSTPReid"):
        message = message_of(DataError, lambda name=name: open_dataset(tmp_path / "nowhere", name=name))
        assert f"no folder at {tmp_path}/nowhere; check the path, or draw a data set there" in message
        file = write(tmp_path) / "reid_raw.json"
        message = message_of(DataError, lambda name=name, file=file: open_dataset(file, name=name))
        assert f"{file} is a file; name the folder" in message


def test_a_folder_without_annotations_lists_what_was_looked_for(tmp_path: Path) -> None:
    message = message_of(DataError, lambda: open_dataset(tmp_path))
    assert f"no annotation file in {tmp_path}: looked there and in CUHK-PEDES/, ICFG-PEDES/" in message
    assert "reid_raw.json or CUHK-PEDES.json for CUHK-PEDES" in message
    assert "data_captions.json for RSTPReid" in message
    message = message_of(DataError, lambda: open_dataset(tmp_path, name="ICFG-PEDES"))
    assert "looked there and in ICFG-PEDES/ below it for ICFG-PEDES.json or ICFG_PEDES.json" in message
    assert "name the folder that holds one" in message


def test_annotations_that_lie_deeper_are_pointed_at(tmp_path: Path) -> None:
    write(tmp_path / "from the authors" / "unpacked")
    message = message_of(DataError, lambda: open_dataset(tmp_path))
    assert f"found {tmp_path}/from the authors/unpacked/reid_raw.json: name that folder" in message
    assert message.endswith(f"`tipr-zoo data check '{tmp_path}/from the authors/unpacked'`")


def test_official_annotations_without_identities_are_of_no_use(tmp_path: Path) -> None:
    entry = {"image": "a.png", "text": "A man in red."}
    message = message_of(DataError, lambda: open_dataset(write(tmp_path, entries=[entry, entry])))
    assert f"{tmp_path}/reid_raw.json has captions without identities (its first record has image, text, no id)" in (
        message
    )
    assert "get the annotation file" in message


def test_every_split_at_once(tmp_path: Path) -> None:
    dataset = open_dataset(write(tmp_path), split="all")
    assert dataset.picture_ids == [1, 7, 7, 3]
    assert dataset.labels == [0, 2, 2, 1]
    assert dataset.splits == ("train", "test")


@pytest.mark.parametrize(
    ("published", "split", "expected"),
    [
        ({"train": (1, 1, 2), "test": (2, 3, 6)}, "test", {}),
        ({"train": (1, 1, 2), "test": (2, 3, 6)}, "all", {}),
        ({"train": (1, 1, 2), "test": (2, 2, 6)}, "test", {}),  # two records of one picture, which some layouts merge
        ({"train": (1, 1, 2), "test": (1000, 3074, 6156)}, "test", {"identities": 2, "captions": 6}),
        ({"train": (1, 1, 2), "test": (2, 3, 7)}, "test", {"captions": 6}),
        ({"train": (1, 1, 2), "test": (2, 3, 7)}, "all", {"captions": 8}),
        ({"train": (1, 1, 2)}, "test", {}),
        ({"all": (3, 4, 8)}, "all", {}),
        ({"all": (3, 4, 8)}, "test", {}),
        ({}, "all", {}),
    ],
)
def test_a_part_of_a_published_data_set_is_told_from_the_whole(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    published: dict[str, tuple[int, int, int]],
    split: str,
    expected: dict[str, int],
) -> None:
    counts = {name: SplitCounts(*numbers) for name, numbers in published.items()}
    monkeypatch.setattr(CUHKPEDES, "specification", replace(CUHKPEDES.specification, published=counts))
    assert dataset_arguments(CUHKPEDES(write(tmp_path), split)) == expected


def test_the_hash_of_one_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    dataset = open_dataset(write(tmp_path))
    assert dataset.sha256 == hashlib.sha256((tmp_path / "reid_raw.json").read_bytes()).hexdigest()
    assert dataset.annotation_files == (dataset.annotation_file,) == (tmp_path / "reid_raw.json",)


def test_several_data_sets_in_one_folder_need_a_name(tmp_path: Path) -> None:
    write(tmp_path / "CUHK-PEDES")
    write(tmp_path / "RSTPReid", "data_captions.json")
    message = message_of(DataError, lambda: open_dataset(tmp_path))
    assert f"{tmp_path} holds several data sets: CUHK-PEDES, RSTPReid; say which one by its name" in message
    assert open_dataset(tmp_path, name="RSTPReid").name == "RSTPReid"


def test_two_different_annotation_files_of_one_data_set_are_refused(tmp_path: Path) -> None:
    write(write(tmp_path), "CUHK-PEDES.json")
    assert len(open_dataset(tmp_path).records) == 3  # the same content under both names
    entries = records()
    entries[0]["id"] = 2
    write(tmp_path, "CUHK-PEDES.json", entries)
    for file in ("reid_raw.json", "CUHK-PEDES.json"):
        os.utime(tmp_path / file, (0, 0))  # neither size nor time tells them apart
    message = message_of(DataError, lambda: open_dataset(tmp_path))
    assert "two different annotation files of CUHK-PEDES" in message
    assert "remove one" in message


def test_drawn_pedestrians_do_not_pass_for_cuhk_pedes(tmp_path: Path) -> None:
    message = message_of(DataError, lambda: SynthPEDES(write(tmp_path)))
    assert "is not SynthPEDES: there is no synthpedes.json beside it; leave the name out" in message
    (tmp_path / "synthpedes.json").write_text("{}")
    message = message_of(DataError, lambda: CUHKPEDES(tmp_path))
    assert "is not CUHK-PEDES: synthpedes.json beside it marks another data set" in message


def test_an_interrupted_drawing_is_not_taken_for_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "synthpedes.json").write_text("{}")
    for name in (None, "SynthPEDES"):
        message = message_of(DataError, lambda name=name: open_dataset(tmp_path, name=name))
        assert f"{tmp_path} has synthpedes.json without reid_raw.json, so SynthPEDES is incomplete there" in message
        assert "draw it again with the same settings" in message


# What is broken inside the annotation file


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[{"split": "test",\n  "id" 7}]', "is broken JSON at line 2, column 8 (Expecting ':' delimiter)"),
        ('[{"split": "te', "is broken JSON at line 1, column 12"),
        ("", "is empty; copy it again"),
        ("[]", "holds no records; use the file that CUHK-PEDES's authors hand out"),
        ('{"train": []}', "holds no records"),
        ('{"rows": []}', "holds a JSON object of rows, not a list of records with split, id, file_path and captions"),
        ("null", "holds a JSON null, not a list"),
        ("[" * 100_000, "is no annotation file"),
    ],
    ids=["broken", "truncated", "zero bytes", "no records", "no records of a split", "object", "null", "too deep"],
)
def test_a_broken_annotation_file_says_where(tmp_path: Path, content: str, expected: str) -> None:
    message = message_of(DataError, lambda: CUHKPEDES(write(tmp_path, entries=content)))
    assert message.startswith(f"{tmp_path}/reid_raw.json {expected}")


@pytest.mark.parametrize(("read", "name"), [(read_json, "reid_raw.json"), (read_table, "people.csv")])
def test_an_annotation_file_that_is_a_pipe_is_not_waited_for(
    tmp_path: Path, read: Callable[[Path], object], name: str
) -> None:
    os.mkfifo(tmp_path / name)
    message = message_of(DataError, lambda: read(tmp_path / name))
    assert f"cannot read {tmp_path / name}: it is a named pipe, and only regular files are read" in message


def test_an_annotation_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "reid_raw.json").write_bytes('[{"captions": "café"}]'.encode("latin-1"))
    message = message_of(DataError, lambda: CUHKPEDES(tmp_path))
    assert "reid_raw.json is not UTF-8 (byte 18); save it as UTF-8" in message


@pytest.mark.parametrize("field", ["split", "id", "file_path", "captions"])
def test_a_record_without_a_field_is_named(tmp_path: Path, field: str) -> None:
    entries = records()
    del entries[2][field]
    message = message_of(DataError, lambda: CUHKPEDES(write(tmp_path, entries=entries)))
    picture = "" if field == "file_path" else " for 'cam_c/c.png'"
    assert f"{tmp_path}/reid_raw.json, record 2 (counted from 0){picture}: it has no '{field}'; add it" in message


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("id", "7", "its 'id' is the JSON string \"7\"; write a whole number (without quotes: 7)"),
        ("id", True, "its 'id' is the JSON boolean true; write a whole number"),
        ("id", 7.5, "its 'id' is the JSON number 7.5; write a whole number"),
        ("id", None, "its 'id' is the JSON null null; write a whole number"),
        ("id", 2**63, "its 'id' does not fit into 64 bits; write a smaller number"),
        ("split", "tset", "its split is 'tset'; write one of train, val, test"),
        ("split", 1, "its 'split' is the JSON number 1; write one of train, val, test"),
        ("file_path", "", "its 'file_path' is empty; write the picture's path"),
        ("file_path", "../../passwd", "'../../passwd' leads out of the picture folder"),
        ("file_path", "/etc/passwd", "'/etc/passwd' leads out of the picture folder"),
        ("captions", "A man.", "its 'captions' is the JSON string \"A man.\"; write a list of sentences"),
        ("captions", [], "its captions are an empty list; give it a caption"),
        ("captions", ["A man.", 3], "caption 1 is a JSON number; write it as a string"),
        ("captions", ["A man.", ""], "caption 1 is empty; write one, or remove it from the list"),
        ("captions", [" \n\t"], "caption 0 is empty; write one"),
        ("captions", ["A man \ud83d."], "caption 0 has the escape '\\ud83d', half of a character"),
        ("file_path", "\udce4.png", "its 'file_path' has the escape '\\udce4', half of a character"),
    ],
)
def test_a_field_with_a_wrong_value_is_named(tmp_path: Path, field: str, value: Any, expected: str) -> None:
    entries = records()
    entries[2][field] = value
    message = message_of(DataError, lambda: CUHKPEDES(write(tmp_path, entries=entries)))
    assert f"{tmp_path}/reid_raw.json, record 2 (counted from 0)" in message
    assert expected in message


def test_an_unusable_record_stops_its_own_split_and_says_how_many_more(tmp_path: Path) -> None:
    entries = records()
    for number in (1, 2):
        entries[number]["captions"] = [""]
    write(tmp_path, entries=entries)
    assert len(CUHKPEDES(tmp_path, split="train").records) == 1
    message = message_of(DataError, lambda: CUHKPEDES(tmp_path, split="test"))
    assert "record 1 (counted from 0) for 'cam_b/b.png'" in message
    assert "(and 1 more unusable: `tipr-zoo data check` lists them)" in message


def test_an_entry_that_is_no_record_is_named(tmp_path: Path) -> None:
    message = message_of(DataError, lambda: CUHKPEDES(write(tmp_path, entries=[*records(), "A man."])))
    assert "record 4 (counted from 0): is a JSON string, not an object" in message


# What is missing on disk


def test_missing_pictures_name_where_was_looked(tmp_path: Path) -> None:
    (tmp_path / "reid_raw.json").write_text(json.dumps(records()))
    message = message_of(DataError, lambda: CUHKPEDES(tmp_path))
    assert f"none of the 3 pictures that {tmp_path}/reid_raw.json names is there, e.g. cam_b/b.png" in message
    assert (
        f"looked in {tmp_path}/imgs (no such folder) and {tmp_path}; put the pictures into {tmp_path}/imgs" in message
    )


def test_a_missing_first_picture_is_found_on_opening(tmp_path: Path) -> None:
    (write(tmp_path) / "imgs/cam_b/b.png").unlink()
    message = message_of(DataError, lambda: CUHKPEDES(tmp_path))
    assert f"no picture at {tmp_path}/imgs/cam_b/b.png, named by record 1 (counted from 0) of" in message
    assert f"`tipr-zoo data check {tmp_path}` lists all" in message


def test_every_picture_is_looked_for_on_request(tmp_path: Path) -> None:
    write(tmp_path)
    for picture in ("cam_c/c.png", "cam_d/d.png"):
        (tmp_path / "imgs" / picture).unlink()
    assert len(CUHKPEDES(tmp_path).pictures) == 3
    message = message_of(DataError, lambda: CUHKPEDES(tmp_path, check_pictures=True))
    assert f"no picture at {tmp_path}/imgs/cam_c/c.png and 1 more, named by record 2" in message
