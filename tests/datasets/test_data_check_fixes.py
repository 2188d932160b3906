"""What `tipr-zoo data check` prints as a fix mends the data set when it is run, and deletes nothing."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tipr_zoo.commands import data_check
from tipr_zoo.datasets import check_dataset

FOLDERS = ("cam_a", "CUHK01")


def records() -> list[dict[str, Any]]:
    return [
        {
            "split": split,
            "id": 1 + 2 * place + number,
            "file_path": f"{FOLDERS[number]}/{split}.png",
            "captions": [f"Person {number} of {split}."],
        }
        for place, split in enumerate(("train", "val", "test"))
        for number in range(2)
    ]


def write(root: Path, annotations: str = "reid_raw.json") -> Path:
    """Six people; the folder's name has a blank, so that commands have to be quoted."""
    for number, record in enumerate(records()):
        path = root / "imgs" / record["file_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 8), number).save(path)
    (root / annotations).write_text(json.dumps(records()))
    return root


def deeper(root: Path, *parts: str) -> None:
    """Move the folder of pictures into folders of its own."""
    target = root.joinpath(*parts)
    (root / "imgs").rename(root / "aside")
    target.parent.mkdir(parents=True)
    (root / "aside").rename(target)


def zipped(root: Path, below: str) -> None:
    """Leave the pictures in a zip file alone, as they come."""
    with zipfile.ZipFile(root / "CUHK-PEDES.zip", "w") as archive:
        for path in sorted((root / "imgs").rglob("*.png")):
            archive.write(path, f"{below}{path.relative_to(root / 'imgs')}")
    shutil.rmtree(root / "imgs")


def one_deeper(root: Path) -> None:
    (root / "imgs/CUHK01").rename(root / "aside")
    (root / "imgs/CUHK01").mkdir()
    (root / "aside").rename(root / "imgs/CUHK01/CUHK01")


def prefixed(root: Path) -> None:
    entries = [{**record, "file_path": f"pictures/{record['file_path']}"} for record in records()]
    (root / "reid_raw.json").write_text(json.dumps(entries))


CHANGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "another name": (lambda root: (root / "imgs").rename(root / "images"), "mv '{root}/images' '{root}/imgs'"),
    "another place": (
        lambda root: deeper(root, "unpacked", "CUHK", "pictures"),
        "mv '{root}/unpacked/CUHK/pictures' '{root}/imgs'",
    ),
    "one level too deep": (
        lambda root: deeper(root, "imgs", "imgs"),
        "mv '{root}/imgs' '{root}/imgs_before' && mv '{root}/imgs_before/imgs' '{root}/imgs'",
    ),
    "two levels too deep": (
        lambda root: deeper(root, "imgs", "CUHK-PEDES", "imgs"),
        "mv '{root}/imgs' '{root}/imgs_before' && mv '{root}/imgs_before/CUHK-PEDES/imgs' '{root}/imgs'",
    ),
    "an empty folder in its place": (
        lambda root: ((root / "imgs").rename(root / "images"), (root / "imgs").mkdir()),
        "mv '{root}/imgs' '{root}/imgs_before' && mv '{root}/images' '{root}/imgs'",
    ),
    "paths begin with another folder": (prefixed, "mv '{root}/imgs' '{root}/pictures'"),
    "one camera too deep": (
        one_deeper,
        "mv '{root}/imgs/CUHK01' '{root}/imgs/CUHK01_before' &&"
        " mv '{root}/imgs/CUHK01_before/CUHK01' '{root}/imgs/CUHK01'",
    ),
    "one camera elsewhere": (
        lambda root: (root / "imgs/CUHK01").rename(root / "CUHK01"),
        "mv '{root}/CUHK01' '{root}/imgs/CUHK01'",
    ),
    "another case": (
        lambda root: (root / "imgs/cam_a/val.png").rename(root / "imgs/cam_a/val.PNG"),
        "mv '{root}/imgs/cam_a/val.PNG' '{root}/imgs/cam_a/val.png'",
    ),
    "one picture elsewhere": (
        lambda root: (root / "imgs/cam_a/val.png").rename(root / "imgs/val.png"),
        "mv '{root}/imgs/val.png' '{root}/imgs/cam_a/val.png'",
    ),
    "a link that leads nowhere in its place": (
        lambda root: ((root / "imgs").rename(root / "images"), (root / "imgs").symlink_to("gone")),
        "mv '{root}/imgs' '{root}/imgs_before' && mv '{root}/images' '{root}/imgs'",
    ),
    "packed": (lambda root: zipped(root, "imgs/"), "python -m zipfile -e '{root}/CUHK-PEDES.zip' '{root}'"),
    "packed without their folder": (
        lambda root: zipped(root, ""),
        "python -m zipfile -e '{root}/CUHK-PEDES.zip' '{root}/imgs'",
    ),
}


def problems(root: Path) -> list[str]:
    """Kinds of problems; a toy's counts differ from the published ones."""
    kinds = [problem.kind for problem in check_dataset(root, "CUHK-PEDES").problems]
    return [kind for kind in kinds if kind != "count differs"]


def run(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    parser = argparse.ArgumentParser()
    data_check.add_arguments(parser)
    data_check.run(parser.parse_args([str(root), "--name", "CUHK-PEDES", *options]))
    return capsys.readouterr().out


def files(root: Path) -> set[bytes]:
    return {path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("change", "command"), CHANGES.values(), ids=CHANGES)
def test_the_printed_command_mends_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], Any],
    command: str,
) -> None:
    root = write(tmp_path / "my data")
    assert problems(root) == []
    change(root)
    assert problems(root) != []
    before = files(root)
    fixes = json.loads(run(root, capsys, "--json"))["fixes"]
    assert fixes == [command.format(root=root)]
    monkeypatch.setenv("COLUMNS", "60")
    assert fixes[0] in run(root, capsys).splitlines()  # on a line of its own, however narrow the terminal
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    subprocess.run(fixes[0], shell=True, check=True)
    assert problems(root) == []
    assert files(root) >= before


MOVES: dict[str, dict[str, str]] = {
    "all in one folder": {"cam_a/a.png": "a.png", "cam_a/b.png": "b.png", "Market/c.png": "c.png"},
    "two folders in one": {"cam_a/a.png": "all/a.png", "cam_a/b.png": "all/b.png", "Market/c.png": "all/c.png"},
    "one folder in two": {"cam_a/a.png": "one/a.png", "cam_a/b.png": "two/b.png"},
    "one folder below another": {"cam_a/a.png": "x/a.png", "cam_a/b.png": "x/b.png", "Market/c.png": "x/y/c.png"},
}


@pytest.mark.parametrize("moved", MOVES.values(), ids=MOVES)
def test_several_commands_mend_it_one_after_the_other(tmp_path: Path, moved: dict[str, str]) -> None:
    pictures = ("cam_a/a.png", "cam_a/b.png", "Market/c.png", "CUHK01/d.png")
    for number, picture in enumerate(pictures):
        path = tmp_path / "imgs" / moved.get(picture, picture)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 8), number).save(path)
    entries = [{**records()[0], "id": 1 + n, "file_path": path} for n, path in enumerate(pictures)]
    (tmp_path / "reid_raw.json").write_text(json.dumps(entries))
    fixes = [problem.fix for problem in check_dataset(tmp_path).problems if problem.fix]
    for fix in dict.fromkeys(fixes):
        subprocess.run(fix, shell=True, check=True)
    assert problems(tmp_path) == []


def test_pictures_that_lie_together_are_moved_one_by_one(tmp_path: Path) -> None:
    root = write(tmp_path / "my data")
    entries = [{**r, "file_path": r["file_path"].replace("/", f"/{r['id']}_")} for r in records()]
    for record, entry in zip(records(), entries, strict=True):
        (root / "imgs" / record["file_path"]).rename(root / "imgs" / Path(entry["file_path"]).name)
    (root / "reid_raw.json").write_text(json.dumps(entries))
    assert set(problems(root)) == {"missing pictures", "missing picture"}
    for fix in dict.fromkeys(problem.fix for problem in check_dataset(root).problems if problem.fix):
        subprocess.run(fix, shell=True, check=True)
    assert problems(root) == []


def test_pictures_in_two_places_are_told_apart_by_nobody(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "imgs/cam_a/val.png").rename(root / "val.png")
    shutil.copy(root / "val.png", root / "imgs/val.png")
    (problem,) = [p for p in check_dataset(root).problems if p.kind == "missing picture"]
    assert problem.fix is None
    assert problem.message.endswith("copy it there")


def test_caption_all_can_be_renamed_where_it_says_everything(tmp_path: Path) -> None:
    root = write(tmp_path / "my data", "caption_all.json")
    (note,) = check_dataset(root).notes
    assert note.fix == f"mv '{root}/caption_all.json' '{root}/reid_raw.json'"
    subprocess.run(note.fix, shell=True, check=True)
    report = check_dataset(root)
    assert (report.layout, report.notes) == ("the official layout", [])


def test_annotations_are_not_moved_with_the_pictures(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "processed_data").mkdir()
    (root / "reid_raw.json").rename(root / "processed_data/train.json")
    (root / "imgs").rename(root / "processed_data/pictures")
    entries = [record for record in records() if record["split"] == "train"]
    (root / "processed_data/train.json").write_text(json.dumps(entries))
    (problem,) = [p for p in check_dataset(root).problems if p.kind == "missing pictures"]
    assert problem.fix == f"mv {root}/processed_data/pictures {root}/imgs"
