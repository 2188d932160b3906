"""One rule for lists, empty words, encodings, split words and paths, whether a table or JSON holds them."""

from __future__ import annotations

import json
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tipr_zoo.datasets import CheckReport, PersonDataset, check_dataset, open_dataset
from tipr_zoo.errors import DataError

Rows = list[dict[str, Any]]
FORMATS = ("csv", "json", "reid_raw.json")


def rows(**changes: Any) -> Rows:
    """Two pictures; the first is changed."""
    first = {"image": "cam_a/1.png", "caption": "A man in red.", "identity": 1, "split": "test"} | changes
    return [first, {"image": "cam_a/2.png", "caption": "A woman.", "identity": 2, "split": "test"}]


def write(folder: Path, entries: Rows, form: str = "csv", encoding: str = "utf-8") -> Path:
    """Write the rows as a table or as annotations of CUHK-PEDES, with two pictures."""
    for name in ("1.png", "2.png"):
        (folder / "imgs/cam_a").mkdir(parents=True, exist_ok=True)
        Image.effect_noise((4, 8), 50).save(folder / "imgs/cam_a" / name)
    if form == "csv":
        lines = [list(entries[0]), *(list(row.values()) for row in entries)]
        text = "".join(",".join('"' + str(cell).replace('"', '""') + '"' for cell in line) + "\n" for line in lines)
        (folder / "people.csv").write_bytes(text.encode(encoding))
    elif form == "json":
        (folder / "people.json").write_bytes(json.dumps(entries, ensure_ascii=False).encode(encoding))
    else:
        official = [
            {
                "id": row["identity"],
                "split": row["split"],
                "file_path": row["image"],
                "captions": row["caption"] if str(row["caption"]).startswith("[") else [row["caption"]],
            }
            for row in entries
        ]
        (folder / form).write_bytes(json.dumps(official, ensure_ascii=False).encode(encoding))
    return folder


def opened(folder: Path) -> PersonDataset:
    return open_dataset(folder, split="test")


def message_of(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        opened(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def problems(report: CheckReport) -> list[str]:
    return [problem.message for problem in report.problems if problem.kind != "count differs"]


# Lists that were written into a cell


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "cell",
    [
        "['a man in red', 'he has a bag']",
        '["a man in red", "he has a bag"]',
        "['a man in red'\n 'he has a bag']",
        "[ 'a man in red' , \"he has a bag\", ]",
        "array(['a man in red', 'he has a bag'], dtype=object)",
    ],
    ids=["Python", "JSON", "numpy", "both quotes", "array"],
)
def test_a_list_in_a_cell_is_a_list(tmp_path: Path, form: str, cell: str) -> None:
    if form == "reid_raw.json" and cell.startswith("array"):
        cell = cell.removeprefix("array(").removesuffix(", dtype=object)")
    assert opened(write(tmp_path, rows(caption=cell), form)).captions == ["a man in red", "he has a bag", "A woman."]


@pytest.mark.parametrize(
    ("cell", "captions"),
    [
        ("('a man', 'a bag')", ["a man", "a bag"]),
        ("['it\\'s a \"man\"', \"he's\"]", ['it\'s a "man"', "he's"]),
        ('["caf\\u00e9, red"]', ["café, red"]),
        ("[1] A man in red.", ["[1] A man in red."]),
        ("(a man) in red", ["(a man) in red"]),
        ("{red} and 'blue'", ["{red} and 'blue'"]),
        ("'a man', 'a bag'", ["'a man', 'a bag'"]),
    ],
)
def test_what_is_a_list_and_what_is_a_sentence(tmp_path: Path, cell: str, captions: list[str]) -> None:
    assert opened(write(tmp_path, rows(caption=cell))).captions == [*captions, "A woman."]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "cell",
    [
        *("['a man in red', 'he", "[a man in red, he has a bag]", "['a man' + 'he']", "['a', [1]]"),
        *("[['a man'], ['he']]", "[('a man',), ('he',)]", "[{'caption': 'a man'}]", "[ [ 'a man' ] ]"),
    ],
)
def test_a_list_that_cannot_be_read_is_told(tmp_path: Path, form: str, cell: str) -> None:
    message = message_of(write(tmp_path, rows(caption=cell), form))
    assert f"looks like a list that cannot be read, {cell!r}; write it as" in message


def test_an_empty_list_in_a_cell_is_no_caption(tmp_path: Path) -> None:
    assert "its captions are an empty list; give it a caption" in message_of(write(tmp_path, rows(caption="[]")))
    assert "caption 1 is empty" in message_of(write(tmp_path, rows(caption="['a man', nan]")))


# Words that mean nothing


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("word", ["nan", "None", "NaN", "NULL", "N/A", "<NA>"])
def test_a_caption_that_says_nothing_is_told(tmp_path: Path, form: str, word: str) -> None:
    message = message_of(write(tmp_path, rows(caption=word), form))
    assert f"is {word!r}, which is written for an empty cell; write one, or remove" in message


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("caption", ["-", "...", "?", "\u200b"])
def test_a_caption_without_a_letter_is_told(tmp_path: Path, form: str, caption: str) -> None:
    assert f"is {caption!r}, without a letter; write one, or remove" in message_of(
        write(tmp_path, rows(caption=caption), form)
    )


@pytest.mark.parametrize("word", ["nan", "None", "NaN", "null"])
@pytest.mark.parametrize("field", ["identity", "split", "image"])
def test_no_person_is_called_nan(tmp_path: Path, field: str, word: str) -> None:
    message = message_of(write(tmp_path, rows(**{field: word})))
    assert f"its {field!r} is {word!r}, which is written for an empty cell; fill it in, or remove the row" in message


def test_the_nan_of_pandas_is_an_empty_cell(tmp_path: Path) -> None:
    message = message_of(write(tmp_path, rows(identity=float("nan")), "json"))
    assert "its 'identity' is empty" in message
    message = message_of(write(tmp_path, rows(caption=float("nan")), "json"))
    assert "its caption is empty" in message


def test_a_person_may_be_called_nan_with_a_capital(tmp_path: Path) -> None:
    dataset = opened(write(tmp_path, rows(identity="Nan")))
    assert set(dataset.identity_names.values()) == {"Nan", "2"}


# Encodings

CHINESE = "一个穿红色衣服的男人\uff0c背着黑色的包。"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gbk", "gb18030"])
def test_chinese_is_read_in_each_encoding_of_chinese_windows(tmp_path: Path, form: str, encoding: str) -> None:
    folder = write(tmp_path, rows(caption=CHINESE), form, encoding)
    assert opened(folder).captions[0] == CHINESE
    report = check_dataset(folder)
    told = [note.message for note in report.notes if "is read as GB18030" in note.message]
    assert len(told) == encoding.startswith("gb")
    assert problems(report) == []


@pytest.mark.parametrize("form", ["csv", "reid_raw.json"])
@pytest.mark.parametrize(
    ("caption", "encoding", "name"),
    [
        ("Ein Mann mit Hüten, créée", "cp1252", "WINDOWS-1252"),
        ("He wears “quotes”… a café", "cp1252", "WINDOWS-1252"),
        ("一個穿紅色衣服的男人\uff0c背著黑色的包。", "big5", "BIG5"),
        ("빨간 옷을 입은 남자가 걷고 있다", "cp949", "CP949"),
        ("赤い服を着た男性が歩いている。", "cp932", "CP932"),
        ("赤い服を着た男性が歩いている。", "euc_jp", "EUC-JP"),
        ("Мужчина в красной куртке", "cp1251", "WINDOWS-1251"),
        ("A man 男 in red", "gbk", "GB18030"),
    ],
)
def test_an_encoding_that_could_be_another_is_asked_for(
    tmp_path: Path, form: str, caption: str, encoding: str, name: str
) -> None:
    folder = write(tmp_path, rows(caption=caption), form, encoding)
    message = message_of(folder)
    assert f"iconv -f {name} -t UTF-8" in message
    shown = caption.split(" ")[-1] if " " in caption else caption
    assert shown in message
    before = {path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    command = message[message.index(f"iconv -f {name} ") :].partition("; if ")[0]
    subprocess.run(command, shell=True, check=True)
    assert opened(folder).captions[0] == caption
    assert {path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} >= before


@pytest.mark.parametrize("caption", [CHINESE, "un écolier à l'étage, été"])
@pytest.mark.parametrize("damage", [b"\xe9", b"\xc4\xd0", b"\xe4\xb8"], ids=["Western", "Chinese", "cut off"])
def test_no_command_is_advised_that_destroys_sound_letters(tmp_path: Path, damage: bytes, caption: str) -> None:
    content = (write(tmp_path, rows(caption=caption)) / "people.csv").read_bytes()
    (tmp_path / "people.csv").write_bytes(content + b"cam_a/2.png,A " + damage + b" man,2,test\n")
    message = message_of(tmp_path)
    assert "is not UTF-8 at byte" in message
    assert "iconv" not in message


def test_no_reading_is_advised_that_makes_no_sense(tmp_path: Path) -> None:
    folder = write(tmp_path, rows(caption=CHINESE[:3] + "ö"), "csv", "utf-8")
    (folder / "people.csv").write_bytes((folder / "people.csv").read_bytes() + b"\xff\xfe\x81\n")
    assert "is not UTF-8 at byte" in message_of(folder)
    assert "iconv" not in message_of(folder)


# Split words


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("Train", "train"),
        ("dev", "val"),
        ("validation", "val"),
        ("TEST", "test"),
        ("query", "test"),
        ("gallery", "test"),
    ],
)
def test_splits_are_named_in_many_words(tmp_path: Path, form: str, word: str, split: str) -> None:
    entries = [{**row, "split": word} for row in rows()]
    assert len(open_dataset(write(tmp_path, entries, form), split=split).records) == 2


def test_query_and_gallery_of_a_table_say_each_caption_once(tmp_path: Path) -> None:
    query = [{**row, "split": "query"} for row in rows()]
    gallery = [{**row, "split": "gallery"} for row in rows()]
    gallery[1]["caption"] = ""
    assert opened(write(tmp_path, [*query, *gallery])).captions == ["A man in red.", "A woman."]


# Paths


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "path",
    [
        "cam_a\\{}",
        ".\\cam_a\\{}",
        "./cam_a/{}",
        "cam_a//{}",
        "data/X/imgs/cam_a/{}",
        "/home/ann/data/CUHK-PEDES/imgs/cam_a/{}",
        "D:\\data\\imgs\\cam_a\\{}",
        "\\\\server\\share\\cam_a\\{}",
    ],
)
def test_paths_of_other_systems_are_read(tmp_path: Path, form: str, path: str) -> None:
    entries = [{**row, "image": path.format(f"{number}.png")} for number, row in enumerate(rows(), 1)]
    folder = write(tmp_path, entries, form)
    assert opened(folder).pictures == [tmp_path / "imgs/cam_a/1.png", tmp_path / "imgs/cam_a/2.png"]
    report = check_dataset(folder)
    assert problems(report) == []
    told = [note.message for note in report.notes if "which is no folder here" in note.message]
    assert len(told) == ("data" in path or "server" in path)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "path", ["https://a.org/imgs/9.png", "s3://b/9.png", "https:/a.org/9.png", "data:image/png;base64,AA=="]
)
def test_an_address_is_no_path(tmp_path: Path, form: str, path: str) -> None:
    folder = write(tmp_path, rows(image=path), form)
    assert f"{path!r} is an address and no file; download the pictures" in message_of(folder)
    assert [problem.fix for problem in check_dataset(folder).problems if problem.fix] == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_path_that_no_disk_can_hold_is_a_missing_picture(tmp_path: Path, form: str) -> None:
    folder = write(tmp_path, rows(image="a" * 5000 + ".png"), form)
    assert "no picture at" in message_of(folder)
    assert [message[:13] for message in problems(check_dataset(folder))] == ["no picture at"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_drive_that_is_not_here_makes_no_folder(tmp_path: Path, form: str) -> None:
    entries = [{**row, "image": f"D:\\data\\{row['identity']}9.png"} for row in rows()]
    folder = write(tmp_path, entries, form)
    assert "'D:/data/19.png' leads out of the picture folder" in message_of(folder)
    assert not any("D:" in (problem.fix or "") for problem in check_dataset(folder).problems)


def test_an_absolute_path_of_a_published_data_set_reads_no_other_file(tmp_path: Path) -> None:
    Image.new("L", (4, 8)).save(tmp_path / "private.png")
    entries = [{**row, "image": f"{tmp_path}/private.png"} for row in rows()]
    message = message_of(write(tmp_path / "CUHK-PEDES", entries, "reid_raw.json"))
    assert "leads out of the picture folder" in message


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("written", "kept"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_picture_is_found_in_the_other_unicode_form(tmp_path: Path, form: str, written: str, kept: str) -> None:
    name = "cam_a/Zoë/é.png"
    folder = write(tmp_path, rows(image=unicodedata.normalize(written, name)), form)
    path = tmp_path / "imgs" / unicodedata.normalize(kept, name)
    path.parent.mkdir()
    Image.new("L", (4, 8)).save(path)
    assert opened(folder).pictures[0] == path
    report = check_dataset(folder)
    assert (problems(report), report.decoded) == ([], 2)
    assert [note.message for note in report.notes if note.kind == "names in another Unicode form"] != []
    assert [note.place for note in report.notes if note.kind == "picture without a record"] == ["cam_a/1.png"]


def test_another_case_and_another_unicode_form_are_found(tmp_path: Path) -> None:
    folder = write(tmp_path, rows(image=unicodedata.normalize("NFC", "cam_a/é.png")))
    Image.new("L", (4, 8)).save(tmp_path / "imgs/cam_a" / unicodedata.normalize("NFD", "É.png"))
    (problem,) = check_dataset(folder).problems
    assert problem.fix is not None
    subprocess.run(problem.fix, shell=True, check=True)
    assert check_dataset(folder).problems == []
