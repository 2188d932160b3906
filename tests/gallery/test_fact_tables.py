"""Facts from tables and paths: kinds, boxes, and what is told of those that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.fact_tables import read_fact_table, read_path_pattern


def table(tmp_path: Path, name: str, text: str) -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def found(tmp_path: Path) -> list[str]:
    return [str(tmp_path / "p" / name) for name in ("a.jpg", "b.jpg", "sub/c.jpg")]


def test_a_table_gives_facts_of_the_kind_that_its_column_has(tmp_path: Path, found: list[str]) -> None:
    file = table(
        tmp_path,
        "facts.csv",
        "picture,camera,person,age:text,hat,note\na.jpg,3,0007,41,true,\np/b.jpg,12,0008,7,false,nan\n"
        "sub\\c.jpg,1,12,x,TRUE,a'; DROP TABLE rows; --\nnone.jpg,1,1,1,true,\n",
    )
    known = read_fact_table(file, tmp_path / "p", found, {})
    assert known.of(found[0], None) == {"camera": 3, "person": "0007", "age": "41", "hat": True}
    assert known.of(found[1], None) == {"camera": 12, "person": "0008", "age": "7", "hat": False}
    assert known.of(found[2], None)["note"] == "a'; DROP TABLE rows; --"
    assert known.unmatched == [str(tmp_path / "p" / "none.jpg")]


def test_json_lines_keep_their_kinds_and_boxes(tmp_path: Path, found: list[str]) -> None:
    file = table(
        tmp_path,
        "facts.jsonl",
        '{"picture": "a.jpg", "day": "2026-05-01"}\n{"picture": "a.jpg", "box": [0, 0, 5, 9], "person": 1}\n'
        '{"picture": "b.jpg", "day": null, "speed": 0.5}\n',
    )
    known = read_fact_table(file, tmp_path / "p", found, {})
    assert known.boxes == {found[0]: [(0, 0, 5, 9)]}
    assert known.of(found[0], (0, 0, 5, 9)) == {"day": "2026-05-01", "person": 1}
    assert known.of(found[1], None) == {"speed": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,camera\na.jpg,1\n", "has no column that names the picture"),
        ("picture,camera\na.jpg,x\n", "line 2: the fact 'camera' is a number, got 'x'"),
        ("picture,camera\na.jpg,1\na.jpg,2\n", "line 3: .* a second time"),
        ("picture,camera:colour\na.jpg,1\n", "there is no kind 'colour'"),
        ("picture,a=b\na.jpg,1\n", "a fact cannot be called 'a=b'"),
        ("picture,box\na.jpg,1 2 3\n", "line 2: a box is four whole numbers"),
        ("picture,box\na.jpg,5 5 5 9\n", "line 2: the box .* has no area"),
        ("picture,day,day:text\na.jpg,1,2\n", "has two columns of the fact 'day'"),
        ("picture,note\n,1\n", "line 2: it names no picture"),
    ],
)
def test_a_table_that_makes_no_sense_is_told(tmp_path: Path, found: list[str], text: str, message: str) -> None:
    with pytest.raises(GalleryError, match=message):
        read_fact_table(table(tmp_path, "facts.csv", text), tmp_path / "p", found, {"camera": "number"})


def test_numbers_that_no_engine_keeps_are_told(tmp_path: Path, found: list[str]) -> None:
    for value in ("1" * 30, "1e999"):
        with pytest.raises(GalleryError, match="finite"):
            read_fact_table(table(tmp_path, "facts.csv", f"picture,n\na.jpg,{value}\n"), tmp_path / "p", found, {})


def test_a_pattern_reads_paths(tmp_path: Path) -> None:
    found = [str(tmp_path / name) for name in ("cam1/0007_a.jpg", "cam12/0008_b.jpg", "other.jpg")]
    known = read_path_pattern("cam{camera}/{person}_*", tmp_path, found, {})
    assert known.of(found[0], None) == {"camera": 1, "person": "0007"}
    assert known.of(found[1], None) == {"camera": 12, "person": "0008"}
    assert known.unmatched == [found[2]]
    assert read_path_pattern("**/{name:text}.jpg", tmp_path, found, {}).of(found[1], None) == {"name": "0008_b"}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("cam*", "names no fact"),
        ("{a}/{a}", "names one fact twice"),
        ("{a b!}", "a fact cannot be called"),
        ("x{a}/b", "fits none of the 1 pictures, 'cam1/a.jpg' among them"),
        ("cam{a:bool}/*", "is true or false, got '1'"),
    ],
)
def test_a_pattern_that_makes_no_sense_is_told(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(GalleryError, match=message):
        read_path_pattern(pattern, tmp_path, [str(tmp_path / "cam1" / "a.jpg")], {})
