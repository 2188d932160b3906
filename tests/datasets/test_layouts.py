"""The layouts that other codes make of a data set hold the same pictures, captions and people as the official one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tipr_zoo.datasets import PersonDataset, check_dataset, open_dataset
from tipr_zoo.errors import DataError

Records = list[dict[str, Any]]
SPLITS = ("train", "val", "test")
OFFICIAL = {"CUHK-PEDES": "reid_raw.json", "ICFG-PEDES": "ICFG-PEDES.json", "RSTPReid": "data_captions.json"}
NICKNAMES = {"CUHK-PEDES": "cuhk", "ICFG-PEDES": "icfg", "RSTPReid": "rstp"}


def records_of(name: str) -> Records:
    """Two people a split, with two pictures each, named as the data set names them."""
    records = []
    for identity in range(1, 7):
        for shot in range(2):
            path = {
                "CUHK-PEDES": f"{('cam_a', 'Market')[shot]}/{identity}_{shot}.png",
                "ICFG-PEDES": f"train/{identity:04}/{identity:04}_00{shot}_01_0303morning_0015_0.jpg",
                "RSTPReid": f"{identity:04}_c{shot + 1}_0031.jpg",
            }[name]
            captions = [f"Person {identity} in picture {shot}.", f"Again person {identity}."]
            captions = captions[:1] if name == "ICFG-PEDES" else captions
            split = SPLITS[(identity - 1) // 2]
            records.append({"split": split, "id": identity, "file_path": path, "captions": captions})
    return records


def write_pictures(folder: Path, records: Records) -> None:
    for record in records:
        path = folder / record["file_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 8), "red").save(path)


def write_json(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def by_split(records: Records) -> dict[str, Records]:
    return {split: [record for record in records if record["split"] == split] for split in SPLITS}


def without_split(records: Records, **renamed: str) -> Records:
    return [{renamed.get(key, key): value for key, value in r.items() if key != "split"} for r in records]


def rows(records: Records) -> Records:
    """One entry a caption, in the keys of TextReID, where pictures are counted beside people."""
    return [
        {"file_path": record["file_path"], "sentence": caption, "id": record["id"], "image_id": place}
        for place, record in enumerate(records)
        for caption in record["captions"]
    ]


def one_file_a_split(template: str, make: Callable[[Records], Any]) -> Callable[[Path, str, Records], None]:
    def write(folder: Path, name: str, records: Records) -> None:
        for split, own in by_split(records).items():
            file = template.format(split=split, name=name, nickname=NICKNAMES[name])
            write_json(folder / file, make(own))

    return write


def write_aptm(folder: Path, name: str, records: Records) -> None:
    for split, own in by_split(records).items():
        entries: Records = []
        for record in own:
            common = {"image": f"{name}/{record['file_path']}", "image_id": str(record["id"])}
            captions = record["captions"]
            entries += [{**common, "caption": c} for c in (captions if split == "train" else [captions])]
        write_json(folder / f"finetune/{NICKNAMES[name]}_{split}.json", entries)
    write_pictures(folder / name, records)


def ivt(file: str) -> Callable[[Path, str, Records], None]:
    def write(folder: Path, name: str, records: Records) -> None:
        parts = {split: without_split(own) for split, own in by_split(records).items()}
        write_json(folder / file, {**parts, "query": parts["test"], "gallery": parts["test"]})

    return write


def query_and_gallery(folder: Path, name: str, records: Records) -> None:
    parts = {split: without_split(own) for split, own in by_split(records).items()}
    test = parts.pop("test")
    write_json(folder / "data_process.json", {**parts, "query": test[:2], "gallery": test[2:]})


def query_of_captions(folder: Path, name: str, records: Records) -> None:
    """A query an entry a caption, and a gallery of the same pictures without captions."""
    parts: dict[str, Records] = {split: without_split(own) for split, own in by_split(records).items()}
    test = parts.pop("test")
    gallery = [{key: value for key, value in record.items() if key != "captions"} for record in test]
    write_json(folder / "data_process.json", {**parts, "query": rows(test), "gallery": gallery})


def single(file: str) -> Callable[[Path, str, Records], None]:
    return lambda folder, name, records: write_json(folder / file, records)


def whole(records: Records) -> Records:
    return records


LAYOUTS: dict[str, tuple[str, Callable[[Path, str, Records], None]]] = {
    "RaSa": ("RaSa's and MARS's", one_file_a_split("processed_data/{split}.json", whole)),
    "RaSa without splits": ("RaSa's and MARS's", one_file_a_split("processed_data/{split}.json", without_split)),
    "TBPS-CLIP": (
        "TBPS-CLIP's",
        one_file_a_split("{split}_reid.json", lambda own: [{**r, "captions_bt": ["Back."]} for r in own]),
    ),
    "TextReID": ("TextReID's", one_file_a_split("annotations/{split}.json", lambda own: {"annotations": rows(own)})),
    "APTM": ("APTM's", write_aptm),
    "LGUR": ("LGUR's", single("captions.json")),
    "LGUR by split": ("LGUR's", lambda folder, name, records: write_json(folder / "captions.json", by_split(records))),
    "PLIP": ("PLIP's", one_file_a_split("{name}-{split}.json", lambda own: without_split(own, file_path="img_path"))),
    "one file a split": ("one file a split", one_file_a_split("{split}.json", whole)),
    "IVT": ("IVT's", ivt("data_process.json")),
    "IVT, query and gallery alone": ("IVT's", query_and_gallery),
    "IVT, gallery without captions": ("IVT's", query_of_captions),
}


def official(folder: Path, name: str) -> Path:
    """The data set in the official layout, with its pictures."""
    write_json(folder / OFFICIAL[name], records_of(name))
    write_pictures(folder / "imgs", records_of(name))
    return folder


def in_layout(folder: Path, name: str, layout: str) -> Path:
    write_pictures(folder / "imgs", records_of(name))
    LAYOUTS[layout][1](folder, name, records_of(name))
    return folder


def content_of(dataset: PersonDataset) -> list[tuple[str, int, int, list[str]]]:
    """File name, identity, label and captions of each picture; only APTM's pictures lie in another folder."""
    return [
        (path.name, record.identity, label, list(record.captions))
        for path, record, label in zip(dataset.pictures, dataset.records, dataset.labels, strict=True)
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", OFFICIAL)
def test_the_same_data_in_every_layout(tmp_path: Path, name: str, layout: str) -> None:
    official(tmp_path / "official", name)
    in_layout(tmp_path / "other" / name, name, layout)
    for split in (*SPLITS, "all"):
        expected = open_dataset(tmp_path / "official", split=split)
        for root in (tmp_path / "other" / name, tmp_path / "other"):  # its own folder, and the one above
            dataset = open_dataset(root, split=split)
            assert dataset.name == name
            assert dataset.layout.startswith(LAYOUTS[layout][0])
            assert content_of(dataset) == content_of(expected)
            assert all(path.is_file() for path in dataset.pictures)
    assert dataset.splits == SPLITS


@pytest.mark.parametrize(
    ("name", "file"), [("CUHK-PEDES", "cuhk_pedes.json"), ("ICFG-PEDES", "ICFG_PEDES_PROCESS.json")]
)
def test_ivt_names_its_files_after_the_data_set(tmp_path: Path, name: str, file: str) -> None:
    official(tmp_path / "official", name)
    write_pictures(tmp_path / "data/imgs", records_of(name))
    ivt(file)(tmp_path / "data", name, records_of(name))
    assert content_of(open_dataset(tmp_path / "data")) == content_of(open_dataset(tmp_path / "official"))


@pytest.mark.parametrize("folder", ["cuhkpedes", "CUHK_PEDES", "cuhk"])
def test_folders_are_named_in_several_ways(tmp_path: Path, folder: str) -> None:
    in_layout(tmp_path / folder, "CUHK-PEDES", "LGUR")
    assert open_dataset(tmp_path).name == "CUHK-PEDES"


def test_lgur_keeps_the_pictures_of_icfg_pedes_in_a_folder_of_its_name(tmp_path: Path) -> None:
    in_layout(tmp_path / "icfgpedes", "ICFG-PEDES", "LGUR")
    (tmp_path / "icfgpedes/imgs").rename(tmp_path / "icfgpedes/ICFG_PEDES")
    assert open_dataset(tmp_path).picture_folder == tmp_path / "icfgpedes/ICFG_PEDES"


def test_aptm_keeps_annotations_and_pictures_apart(tmp_path: Path) -> None:
    write_aptm(tmp_path / "data", "CUHK-PEDES", records_of("CUHK-PEDES"))
    (tmp_path / "images").mkdir()
    (tmp_path / "data/CUHK-PEDES").rename(tmp_path / "images/CUHK-PEDES")
    for root in (tmp_path, tmp_path / "data"):
        assert open_dataset(root).pictures[0] == tmp_path / "images/CUHK-PEDES/cam_a/5_0.png"


def test_paths_may_begin_with_the_folder_of_the_data_set(tmp_path: Path) -> None:
    folder = official(tmp_path / "CUHK-PEDES", "CUHK-PEDES")
    entries = [{**r, "file_path": f"CUHK-PEDES/imgs/{r['file_path']}"} for r in records_of("CUHK-PEDES")]
    write_json(folder / "reid_raw.json", entries)
    assert open_dataset(folder).pictures[0] == folder / "imgs/cam_a/5_0.png"


def test_two_records_of_one_picture_stay_two_in_icfg_pedes(tmp_path: Path) -> None:
    records = records_of("ICFG-PEDES")
    records.append({**records[0], "captions": ["Once more."]})
    for write in (single("ICFG-PEDES.json"), LAYOUTS["TextReID"][1]):
        folder = tmp_path / str(len(list(tmp_path.iterdir()))) / "ICFG-PEDES"
        write_pictures(folder / "imgs", records)
        write(folder, "ICFG-PEDES", records)
        assert [len(record.captions) for record in open_dataset(folder, split="train").records] == [1] * 5


# Which data set it is


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_paths_of_the_pictures_tell_data_sets_apart(tmp_path: Path, name: str) -> None:
    assert open_dataset(in_layout(tmp_path, name, "RaSa")).name == name


def test_the_folder_above_the_annotations_tells_data_sets_apart(tmp_path: Path) -> None:
    without_a_trace(tmp_path / "RSTPReid")
    dataset = open_dataset(tmp_path / "RSTPReid/processed_data")
    assert (dataset.name, dataset.picture_folder) == ("RSTPReid", tmp_path / "RSTPReid/imgs")


def without_a_trace(folder: Path) -> Path:
    records = [{**r, "file_path": Path(r["file_path"]).name} for r in records_of("CUHK-PEDES")]
    write_pictures(folder / "imgs", records)
    LAYOUTS["RaSa"][1](folder, "CUHK-PEDES", records)
    return folder


def test_counts_tell_data_sets_apart(tmp_path: Path) -> None:
    without_a_trace(tmp_path)
    entries = [
        {"id": identity, "file_path": f"{identity}_{shot}.png", "captions": ["One.", "Two."]}
        for identity in range(200)
        for shot in range(5)
    ]
    write_json(tmp_path / "processed_data/test.json", entries)
    (tmp_path / "imgs/0_0.png").write_bytes((tmp_path / "imgs/1_0.png").read_bytes())
    assert open_dataset(tmp_path).name == "RSTPReid"


def test_what_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could be CUHK-PEDES, ICFG-PEDES, RSTPReid, UFine3C or UFine6926: neither") as (
        caught
    ):
        open_dataset(without_a_trace(tmp_path))
    assert "say which by --name of `data check`, or --dataset of `eval`, e.g. CUHK-PEDES" in str(caught.value)
    assert open_dataset(tmp_path, "RSTPReid").picture_ids == [5, 5, 6, 6]


def test_the_official_file_goes_before_what_was_made_of_it(tmp_path: Path) -> None:
    in_layout(official(tmp_path, "RSTPReid"), "RSTPReid", "RaSa")
    assert open_dataset(tmp_path).layout == "the official layout"


# Several files


def test_the_hash_of_several_files_is_that_of_their_hashes(tmp_path: Path) -> None:
    dataset = open_dataset(in_layout(tmp_path, "CUHK-PEDES", "RaSa"))
    files = tuple(tmp_path / f"processed_data/{split}.json" for split in SPLITS)
    assert dataset.annotation_files == files
    assert dataset.annotation_file == files[0]
    digests = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)
    assert dataset.sha256 == hashlib.sha256(digests).hexdigest()


def test_a_split_whose_file_is_missing_is_empty(tmp_path: Path) -> None:
    in_layout(tmp_path, "CUHK-PEDES", "RaSa")
    (tmp_path / "processed_data/val.json").unlink()
    assert open_dataset(tmp_path).splits == ("train", "test")
    with pytest.raises(DataError, match=r"have no record of split 'val'; records by split: train \(4\), test \(4\)"):
        open_dataset(tmp_path, split="val")


def test_a_record_in_the_file_of_another_split_is_named(tmp_path: Path) -> None:
    in_layout(tmp_path, "CUHK-PEDES", "RaSa")
    write_json(tmp_path / "processed_data/test.json", by_split(records_of("CUHK-PEDES"))["val"])
    with pytest.raises(
        DataError, match=r"test.json, record 0 .*its split is 'val', though it lies among those of test"
    ):
        open_dataset(tmp_path)


def test_what_is_not_read_is_noted(tmp_path: Path) -> None:
    notes = {note.message for note in check_dataset(in_layout(tmp_path / "RSTPReid", "RSTPReid", "IVT")).notes}
    assert f"{tmp_path}/RSTPReid/data_process.json: not read beside the splits: query, gallery" in notes
    report = check_dataset(in_layout(tmp_path / "CUHK-PEDES", "CUHK-PEDES", "TBPS-CLIP"))
    assert report.layout == "TBPS-CLIP's layout"
    (note,) = [note for note in report.notes if note.kind == "further captions"]
    assert "12 records have further captions (captions_bt), for an augmentation that asks" in note.message
    assert note.message.endswith("; 12 of them have not one for each caption, so that no augmentation can take them")


# What cannot be understood


def message_of(folder: Path, entries: Any, file: str = "captions.json") -> str:
    write_json(folder / file, entries)
    with pytest.raises(DataError) as caught:
        open_dataset(folder, "CUHK-PEDES")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_caption_all_is_read_if_it_says_all_that_the_official_file_says(tmp_path: Path) -> None:
    write_pictures(tmp_path / "imgs", records_of("CUHK-PEDES"))
    write_json(tmp_path / "caption_all.json", records_of("CUHK-PEDES"))
    dataset = open_dataset(tmp_path)
    assert (dataset.name, len(dataset.pictures)) == ("CUHK-PEDES", 4)


def test_caption_all_without_splits_says_what_is_needed(tmp_path: Path) -> None:
    message = message_of(tmp_path, without_split(records_of("CUHK-PEDES")), "caption_all.json")
    assert "its first record has id, file_path, captions, no split" in message
    assert "needed is reid_raw.json, one JSON list of records with split, id, file_path and captions" in message
    assert "as 'custom' (--name of `data check`, --dataset of `eval`) it is read with a split by rule" in message
    write_pictures(tmp_path / "imgs", records_of("CUHK-PEDES"))
    assert len(open_dataset(tmp_path, "custom", split="all").captions) == 24


def test_two_keys_for_one_thing_must_agree(tmp_path: Path) -> None:
    (record, *_) = records_of("CUHK-PEDES")
    message = message_of(tmp_path, {"test": [{**record, "split": "test", "image": "another.png"}]})
    assert "it has both 'file_path' and 'image', which differ; remove the wrong one" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"test": [["a.png", 3, "A man."]]}, "record 0 (counted from 0): is a JSON list, not an object"),
        ({"images": ["a.png"]}, "holds a JSON object of images, not a list of records with split, id"),
        ({"test": [{"file_path": "a.png", "captions": ["A man."]}]}, "its first record has file_path, captions, no id"),
        ({"test": [{"id": "a7", "file_path": "a.png", "captions": ["A."]}]}, "its 'id' is the JSON string \"a7\""),
    ],
)
def test_what_is_not_understood_is_quoted(tmp_path: Path, content: Any, expected: str) -> None:
    assert expected in message_of(tmp_path, content)
