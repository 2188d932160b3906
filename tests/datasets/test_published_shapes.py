"""Captions in the shapes of other fields are read; a file that is not understood is named with what it seems to be."""

from __future__ import annotations

import builtins
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tipr_zoo.datasets import check_dataset, open_dataset
from tipr_zoo.errors import DataError

PICTURES = {"a/1.png": ["A man in red.", "He has a bag."], "a/2.png": ["A woman."]}
IMAGES = [{"id": 7, "file_name": "a/1.png", "width": 4}, {"id": 9, "file_name": "a/2.png", "width": 4}]


def pictures(folder: Path) -> Path:
    for number, name in enumerate(PICTURES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 8), number).save(folder / name)
    return folder


def coco() -> dict[str, Any]:
    captions = [(7, "A man in red."), (7, "He has a bag."), (9, "A woman.")]
    annotations = [{"id": 100 + n, "image_id": image, "caption": text} for n, (image, text) in enumerate(captions)]
    return {"info": {"year": 2026}, "licenses": [{"id": 1}], "images": IMAGES, "annotations": annotations}


def karpathy(split: str = "restval") -> dict[str, Any]:
    images = [
        {
            "filepath": "a",
            "filename": name.removeprefix("a/"),
            "imgid": number,
            "split": split,
            "sentids": [number],
            "sentences": [{"raw": text, "tokens": text.lower().split(), "imgid": number} for text in captions],
        }
        for number, (name, captions) in enumerate(PICTURES.items())
    ]
    return {"dataset": "coco", "images": images}


SHAPES: dict[str, Any] = {
    "COCO": coco(),
    "Karpathy": karpathy(),
    "captions by path": PICTURES,
    "one caption by path": {"a/1.png": "['A man in red.', 'He has a bag.']", "a/2.png": "A woman."},
    "objects by path": {name: {"captions": captions, "weather": "dry"} for name, captions in PICTURES.items()},
    "lists of objects by path": {name: [{"caption": text} for text in texts] for name, texts in PICTURES.items()},
    "by split and path": {"dev": {"a/2.png": ["A woman."]}, "train": {"a/1.png": PICTURES["a/1.png"]}},
}


def message_of(folder: Path, name: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        open_dataset(folder, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES)
def test_captions_are_read_in_each_shape(tmp_path: Path, content: Any) -> None:
    (pictures(tmp_path) / "captions.json").write_text(json.dumps(content))
    dataset = open_dataset(tmp_path, "custom", split="all")
    assert {
        str(path.relative_to(tmp_path)): list(record.captions)
        for path, record in zip(dataset.pictures, dataset.records, strict=True)
    } == PICTURES
    assert check_dataset(tmp_path, "custom").problems == []


def test_splits_of_a_shape_are_read(tmp_path: Path) -> None:
    (pictures(tmp_path) / "people.json").write_text(json.dumps(karpathy()))
    assert open_dataset(tmp_path, split="train").splits == ("train",)
    (tmp_path / "people.json").write_text(json.dumps(SHAPES["by split and path"]))
    assert open_dataset(tmp_path, split="val").captions == ["A woman."]


def test_numbers_of_images_are_no_people(tmp_path: Path) -> None:
    (pictures(tmp_path) / "people.json").write_text(json.dumps(coco()))
    notes = [note.message for note in check_dataset(tmp_path).notes]
    assert any("has no identities: each picture is a person of its own" in note for note in notes)
    assert any("'licenses' is not read" in note for note in notes)
    content = coco() | {"images": [{**image, "person_id": 3} for image in IMAGES]}
    (tmp_path / "people.json").write_text(json.dumps(content))
    assert open_dataset(tmp_path, split="all").picture_ids == [3, 3]


def test_people_of_a_published_data_set_are_read_in_coco_s_shape(tmp_path: Path) -> None:
    images = [{**image, "person_id": number, "split": "test"} for number, image in enumerate(IMAGES, 1)]
    (pictures(tmp_path) / "reid_raw.json").write_text(json.dumps(coco() | {"images": images}))
    dataset = open_dataset(tmp_path)
    assert (dataset.name, dataset.picture_ids) == ("CUHK-PEDES", [1, 2])
    assert dataset.captions == [text for texts in PICTURES.values() for text in texts]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"images": IMAGES[:1]}, "annotation 2 is of image_id 9, which no image has"),
        ({"annotations": coco()["annotations"][:2]}, "for 'a/2.png': its caption is empty; write one"),
    ],
)
def test_what_lacks_its_other_half_is_told(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    (pictures(tmp_path) / "people.json").write_text(json.dumps(coco() | change))
    with pytest.raises(DataError, match=expected):
        open_dataset(tmp_path, split="all")


# A table for each split


def per_split(folder: Path, name: str, header: str = "file_name,text", prefix: str = "") -> Path:
    for split, picture in (("train", "1.png"), ("validation", "2.png"), ("test", "3.png")):
        place = folder / split / prefix
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 8), ord(split[1])).save(place / picture)
        file = folder / name.format(split=split)
        file.write_text(f"{header}\n{picture},A person of {split}.\n")
    return folder


@pytest.mark.parametrize("prefix", ["", "images"])
def test_an_image_folder_has_a_table_a_split(tmp_path: Path, prefix: str) -> None:
    folder = per_split(tmp_path, "{split}/metadata.csv", prefix=prefix)
    for split, word, picture in (
        ("train", "train", "1.png"),
        ("val", "validation", "2.png"),
        ("test", "test", "3.png"),
    ):
        dataset = open_dataset(folder, split=split)
        assert dataset.captions == [f"A person of {word}."]
        assert dataset.pictures == [tmp_path / word / prefix / picture]
        assert dataset.annotation_files == tuple(
            tmp_path / each / "metadata.csv" for each in ("train", "validation", "test")
        )
    report = check_dataset(folder)
    assert (report.problems, report.decoded) == ([], 3)
    assert not any("has no splits" in note.message for note in report.notes)


def test_tables_may_lie_together(tmp_path: Path) -> None:
    folder = per_split(tmp_path, "people_{split}.csv")
    for split, picture in (("train", "1.png"), ("validation", "2.png"), ("test", "3.png")):
        (tmp_path / split / picture).rename(tmp_path / picture)
    assert open_dataset(folder, split="val").captions == ["A person of validation."]
    assert check_dataset(folder).problems == []


def test_query_and_gallery_have_tables_of_their_own(tmp_path: Path) -> None:
    for name, captions in (("query", ["A man.", "A woman."]), ("gallery", ["", "A woman."])):
        (tmp_path / name).mkdir()
        lines = [f"a/{number}.png,{text},{number}" for number, text in enumerate(captions, 1)]
        (tmp_path / name / "metadata.csv").write_text("\n".join(["image,caption,id", *lines]))
    assert open_dataset(pictures(tmp_path), split="test").captions == ["A man.", "A woman."]
    assert check_dataset(tmp_path).problems == []


def test_a_table_deeper_is_pointed_at(tmp_path: Path) -> None:
    folder = per_split(tmp_path / "my data", "{split}/metadata.csv")
    assert message_of(tmp_path).endswith(f"name that folder, as in `tipr-zoo data check '{folder}'`")


def test_columns_may_be_parted_by_bars(tmp_path: Path) -> None:
    lines = [f"{name}| {n}| {text}" for name, texts in PICTURES.items() for n, text in enumerate(texts)]
    text = "\n".join(["image_name| comment_number| comment", *lines])
    (pictures(tmp_path) / "results.csv").write_text(text)
    assert open_dataset(tmp_path, split="all").captions == [text for texts in PICTURES.values() for text in texts]


def test_a_table_that_contradicts_its_folder_is_told(tmp_path: Path) -> None:
    folder = per_split(tmp_path, "{split}/metadata.csv")
    (folder / "test/metadata.csv").write_text("file_name,text,split\n3.png,A man.,train\n")
    with pytest.raises(DataError, match="its split is 'train', though it lies among those of test"):
        open_dataset(folder, split="test")


def test_one_file_a_split_may_be_called_dev(tmp_path: Path) -> None:
    entry = {"id": 1, "file_path": "a/1.png", "captions": ["A man."]}
    folder = pictures(tmp_path / "RSTPReid")
    for split in ("train", "dev"):
        (folder / f"{split}.json").write_text(json.dumps([entry]))
    assert open_dataset(folder, split="val").annotation_files == (folder / "train.json", folder / "dev.json")


# Parquet


def write_parquet(file: Path, columns: dict[str, list[Any]]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), file)


def test_parquet_is_a_table(tmp_path: Path) -> None:
    columns = {"image": list(PICTURES), "captions": list(PICTURES.values()), "person_id": [4, 5], "split": ["dev"] * 2}
    write_parquet(pictures(tmp_path) / "people.parquet", columns)
    dataset = open_dataset(tmp_path, split="val")
    assert dataset.captions == [text for texts in PICTURES.values() for text in texts]
    assert dataset.picture_ids == [4, 5]


def test_parquet_with_the_pictures_inside_says_so(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", {"image": [{"bytes": b"abc", "path": "a.png"}], "text": ["A man."]})
    assert "holds bytes in its column 'image', the pictures themselves; save each as a file" in message_of(tmp_path)


def test_a_broken_parquet_file_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "people.parquet").write_bytes(b"PAR1 and no more")
    assert "people.parquet is no Parquet file that can be read" in message_of(tmp_path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "people.parquet").write_bytes(b"PAR1")
    really = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return really(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    assert message_of(tmp_path) == f"{tmp_path}/people.parquet needs pyarrow; run: pip install 'tipr-zoo[parquet]'"


# Text files beside the pictures


def text_files(folder: Path) -> Path:
    pictures(folder)
    for name, captions in PICTURES.items():
        (folder / name).with_suffix(".txt").write_text("\n".join(captions) + "\n", encoding="utf-8")
    return folder


def test_a_text_file_beside_each_picture_holds_its_captions(tmp_path: Path) -> None:
    dataset = open_dataset(text_files(tmp_path), split="all")
    assert [list(record.captions) for record in dataset.records] == list(PICTURES.values())
    assert dataset.pictures == [tmp_path / name for name in PICTURES]
    sha256 = dataset.sha256
    report = check_dataset(tmp_path)
    assert (report.name, report.problems, report.decoded) == ("custom", [], 2)
    assert not any(note.kind == "file not read" for note in report.notes)
    (tmp_path / "a/1.txt").write_text("Another man.")
    assert open_dataset(tmp_path, split="all").sha256 != sha256


def test_text_files_of_one_folder_are_no_unknown_files(tmp_path: Path) -> None:
    for path in [*(text_files(tmp_path) / "a").iterdir()]:
        path.rename(tmp_path / path.name)
    report = check_dataset(tmp_path)
    assert (report.problems, report.decoded) == ([], 2)
    assert not any(note.kind == "file not read" for note in report.notes)


def test_folders_of_text_files_are_splits(tmp_path: Path) -> None:
    text_files(tmp_path)
    (tmp_path / "a").rename(tmp_path / "dev")
    assert len(open_dataset(tmp_path, split="val").captions) == 3


def test_an_empty_text_file_is_named(tmp_path: Path) -> None:
    (text_files(tmp_path) / "a/2.txt").write_text("\n")
    with pytest.raises(DataError, match=r"a/2.txt, line 1 for 'a/2.png': its captions are an empty list"):
        open_dataset(tmp_path, split="all")


# What is not understood

BOXES = {"images": IMAGES, "annotations": [{"id": 1, "image_id": 7, "bbox": [0, 0, 1, 1]}]}
UNKNOWN: dict[str, tuple[str, bytes, str]] = {
    "boxes": ("instances.json", json.dumps(BOXES).encode(), "COCO's boxes, without captions"),
    "keys": ("data.json", b'{"ims": [], "caps": []}', "a JSON object of ims, caps"),
    "spreadsheet": ("people.xlsx", b"PK\x03\x04", "a spreadsheet; save its table as CSV"),
    "pickle": ("data.pkl", pickle.dumps([1]), "a pickle, which may run code when it is opened"),
    "Flickr's text": (
        "results.txt",
        b"1.jpg#0\tA man.\n1.jpg#1\tHe runs.\n",
        "text of 2 lines, e.g. '1.jpg#0\\tA man.'",
    ),
    "MATLAB": ("attributes.mat", b"MATLAB 5.0", "MATLAB's arrays"),
    "archive": ("CUHK.zip", b"PK\x05\x06", "an archive; unpack it"),
}


@pytest.mark.parametrize("below", ["", "annotations"])
@pytest.mark.parametrize(("name", "content", "kind"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_file_that_is_not_understood_is_named(
    tmp_path: Path, name: str, content: bytes, kind: str, below: str
) -> None:
    (pictures(tmp_path) / below).mkdir(exist_ok=True)
    (tmp_path / below / name).write_bytes(content)
    message = message_of(tmp_path)
    assert f"found and not understood: {tmp_path / below / name} ({kind}" in message


@pytest.mark.parametrize(("name", "content", "kind"), list(UNKNOWN.values())[:-1], ids=list(UNKNOWN)[:-1])
def test_a_file_beside_what_was_read_is_noted(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (pictures(tmp_path) / "people.csv").write_text("image,caption,id\na/1.png,A man.,1\na/2.png,A woman.,2\n")
    assert not any(note.kind == "file not read" for note in check_dataset(tmp_path).notes)
    (tmp_path / name).write_bytes(content)
    (note,) = [note for note in check_dataset(tmp_path).notes if note.kind == "file not read"]
    assert note.message.startswith(f"{tmp_path / name} is not read: it seems to be {kind}")
