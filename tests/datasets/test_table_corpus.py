"""A corpus of tables as people have them: what each kind is read as, or what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from tipr_zoo.command_line import main
from tipr_zoo.datasets import check_dataset, open_dataset
from tipr_zoo.errors import DataError

HEADER = "image,caption,identity,split\n"
ROWS = "1.png,A man in red.,1,test\n2.png,A woman.,2,test\n"
FIRST = ("1.png", 1, ("A man in red.",))
BOTH = [FIRST, ("2.png", 2, ("A woman.",))]
OBJECTS = [
    {"image": "1.png", "caption": "A man in red.", "identity": 1, "split": "test"},
    {"image": "2.png", "caption": "A woman.", "identity": 2, "split": "test"},
]


def pictures(folder: Path, names: tuple[str, ...] = ("1.png", "2.png")) -> Path:
    (folder / "imgs").mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.effect_noise((4, 8), 50).save(folder / "imgs" / name)
    return folder


def read(folder: Path, content: str | bytes, name: str = "people.csv", split: str = "test") -> list[Any]:
    (pictures(folder) / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(each.picture, each.identity, each.captions) for each in open_dataset(folder, split=split).records]


def refused(folder: Path, content: str | bytes, name: str = "people.csv") -> str:
    with pytest.raises(DataError) as caught:
        read(folder, content, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_caption(caption: str) -> str:
    quoted = caption.replace('"', '""')
    return f'{HEADER}1.png,"{quoted}",1,test\n'


READ = {
    "UTF-8 with a mark, csv": ((HEADER + ROWS).encode("utf-8-sig"), "people.csv"),
    "UTF-8 with a mark, tsv": ((HEADER + ROWS).replace(",", "\t").encode("utf-8-sig"), "people.tsv"),
    "UTF-8 with a mark, json": (json.dumps(OBJECTS).encode("utf-8-sig"), "people.json"),
    "UTF-8 with a mark, jsonl": ("\n".join(map(json.dumps, OBJECTS)).encode("utf-8-sig"), "people.jsonl"),
    "UTF-16 with a mark": ((HEADER + ROWS).encode("utf-16"), "people.csv"),
    "UTF-16 without a mark": ((HEADER + ROWS).encode("utf-16-le"), "people.csv"),
    "UTF-16 without a mark, big end first": ((HEADER + ROWS).encode("utf-16-be"), "people.csv"),
    "UTF-16 without a mark, json": (json.dumps(OBJECTS).encode("utf-16-le"), "people.json"),
    "mixed line ends": (HEADER.replace("\n", "\r\n") + ROWS.replace("\n", "\r", 1), "people.csv"),
    "old line ends": ((HEADER + ROWS).replace("\n", "\r"), "people.csv"),
    "semicolons": ((HEADER + ROWS).replace(",", ";"), "people.csv"),
    "tabs under the wrong name": ((HEADER + ROWS).replace(",", "\t"), "people.csv"),
    "unseen characters at the ends of cells": (
        "\u200bimage\u00a0,caption\ufeff,id,\u2060split\n\ufeff1.png,\u200bA man in red.\u00a0,1\u200b,test\u200b\n"
        "2.png,A woman.,\u00a02,test\n",
        "people.csv",
    ),
    "whole numbers with a decimal point": (HEADER + ROWS.replace(",1,", ",1.0,"), "people.csv"),
    "numbers of JSON with a decimal point": (
        json.dumps([{**each, "identity": float(each["identity"])} for each in OBJECTS]),  # type: ignore[arg-type]
        "people.json",
    ),
    "addresses of files that lie here": (
        HEADER + ROWS.replace("1.png", "https://example.org/a/1.png?size=2").replace("2.png", "s3://store/b/2.png"),
        "people.csv",
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_a_table_is_read(kind: str, tmp_path: Path) -> None:
    assert read(tmp_path, *READ[kind]) == BOTH


def test_letters_survive_utf_16_without_a_mark(tmp_path: Path) -> None:
    caption = "\u4e00\u4e2a\u7a7f\u7ea2\u8272\u5916\u5957\u7684\u7537\u4eba"
    assert read(tmp_path, with_caption(caption).encode("utf-16-le"))[0][2] == (caption,)


@pytest.mark.parametrize(
    ("cell", "captions"),
    [
        ("A man\nin red.", ("A man\nin red.",)),
        ("['A man.', 'He runs.']", ("A man.", "He runs.")),
        ('["A man.", "He runs."]', ("A man.", "He runs.")),
        ("('A man.', 'He runs.')", ("A man.", "He runs.")),
        ("{'A man.', 'He runs.'}", ("A man.", "He runs.")),
        ("A man | he runs", ("A man | he runs",)),
        ("a man\u200dwoman", ("a man\u200dwoman",)),
    ],
)
def test_a_cell_of_captions_is_read(cell: str, captions: tuple[str, ...], tmp_path: Path) -> None:
    assert read(tmp_path, with_caption(cell)) == [("1.png", 1, captions)]


@pytest.mark.parametrize("mark", ["|", "||", " | ", "<sep>", "[SEP]", ";;"])
def test_captions_that_may_be_several_are_remarked_and_not_parted(mark: str, tmp_path: Path) -> None:
    caption = f"a man{mark}he runs"
    assert read(tmp_path, with_caption(caption))[0][2] == (caption,)
    (note,) = [note for note in check_dataset(tmp_path).notes if note.kind == "several captions in a cell"]
    assert f"1 captions hold {mark.strip()!r}, e.g. {caption!r}, and are read as one caption each" in note.message


@pytest.mark.parametrize("cell", ["[a man, he runs]", "{a man, he runs}", "['a man', 'he"])
def test_a_list_without_quotes_is_told(cell: str, tmp_path: Path) -> None:
    assert "looks like a list that cannot be read" in refused(tmp_path, with_caption(cell))


EMPTY = ["nan", "None", "NULL", "<NA>", "N/A", "-", "--", "?", "#REF!", "(null)", "\\N", "NIL", "", "\u200b\u00a0"]


@pytest.mark.parametrize("word", EMPTY, ids=ascii)
def test_an_empty_word_is_neither_caption_nor_person_nor_split(word: str, tmp_path: Path) -> None:
    assert "caption" in refused(tmp_path / "caption", HEADER + f'1.png,"{word}",1,test\n')
    message = refused(tmp_path / "person", HEADER + f'1.png,A man.,"{word}",test\n')
    assert "its 'identity' is" in message
    assert "empty" in message
    assert (
        "its split is" in (told := refused(tmp_path / "split", HEADER + f'1.png,A man.,1,"{word}"\n'))
        or "empty" in told
    )


@pytest.mark.parametrize(
    ("texts", "identities"),
    [
        (("7", "8"), [7, 8]),
        (("007", "7"), [0, 1]),
        (("0001", "0002"), [1, 2]),
        (("12.0", "12"), [12, 12]),
        (("1.0", "1.5"), [0, 1]),
        (("p1", "1.0"), [1, 0]),
        (("1e3", "1000"), [1, 0]),
    ],
)
def test_identities_are_the_same_person_or_not(texts: tuple[str, str], identities: list[int], tmp_path: Path) -> None:
    rows = "".join(f"{place}.png,A man.,{text},test\n" for place, text in enumerate(texts, 1))
    assert [person for _, person, _ in read(tmp_path, HEADER + rows)] == identities


@pytest.mark.parametrize(
    ("word", "split"),
    [("dev", "val"), ("query", "test"), ("gallery", "test"), ("valid", "val"), ("Validation", "val"), ("TEST", "test")],
)
def test_a_split_has_many_words(word: str, split: str, tmp_path: Path) -> None:
    assert read(tmp_path, HEADER + f"1.png,A man in red.,1,{word}\n", split=split) == [FIRST]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("image,caption,caption\n1.png,a,b\n", "people.csv", "has two columns 'caption'"),
        ("image,caption,Caption\n1.png,a,b\n", "people.csv", "two columns for the caption: 'caption' and 'Caption'"),
        (HEADER, "people.csv", "holds no rows"),
        (HEADER.replace(",", "\t"), "people.tsv", "holds no rows"),
        ("[]", "people.json", "a JSON list without captions of pictures"),
        ("", "people.jsonl", "is empty"),
        (HEADER + '1.png,"A man,1,test\n', "people.csv", "is broken in the row that begins on line 2"),
    ],
)
def test_what_cannot_be_read_is_told(content: str, name: str, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path, content, name)


RUSSIAN = "\u041c\u0443\u0436\u0447\u0438\u043d\u0430 \u0432 \u043a\u0440\u0430\u0441\u043d\u043e\u0439"

ENCODINGS = {
    "cp1250": ("Mu\u017e v \u010derven\u00e9 bund\u011b", ("WINDOWS-1250", "WINDOWS-1252")),
    "iso8859-2": ("Mu\u017e v \u010derven\u00e9 bund\u011b", ("ISO-8859-2", "WINDOWS-1250")),
    "cp1254": ("K\u0131rm\u0131z\u0131 ceketli \u015fapka", ("WINDOWS-1254", "WINDOWS-1252")),
    "cp1252": ("Ein Mann tr\u00e4gt gr\u00f6\u00dfere Schuhe", ("WINDOWS-1252",)),
    "latin-1": ("Un gar\u00e7on \u00e0 v\u00e9lo", ("WINDOWS-1252", "WINDOWS-1250")),
    "koi8-r": (RUSSIAN, ("KOI8-R",)),
    "cp866": (RUSSIAN, ("CP866",)),
    "cp1251": (RUSSIAN, ("WINDOWS-1251",)),
    "cp1253": ("\u0388\u03bd\u03b1\u03c2 \u03ac\u03bd\u03b4\u03c1\u03b1\u03c2", ("WINDOWS-1253",)),
    "cp1255": ("\u05d2\u05d1\u05e8 \u05d1\u05de\u05e2\u05d9\u05dc", ("WINDOWS-1255", "WINDOWS-1251")),
    "cp1256": ("\u0631\u062c\u0644 \u064a\u0631\u062a\u062f\u064a", ("WINDOWS-1256",)),
    "shift_jis": ("\u8d64\u3044\u30b8\u30e3\u30b1\u30c3\u30c8\u3092\u7740\u305f", ("CP932",)),
    "euc-jp": ("\u8d64\u3044\u30b8\u30e3\u30b1\u30c3\u30c8\u3092\u7740\u305f", ("EUC-JP",)),
    "big5": ("\u4e00\u500b\u7a7f\u8457\u7d05\u8272\u5916\u5957", ("BIG5",)),
    "euc-kr": ("\ube68\uac04 \uc7ac\ud0b7\uc744 \uc785\uc740", ("CP949", "GB18030")),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_encoding_is_left_to_the_user_with_the_readings_shown(encoding: str, tmp_path: Path) -> None:
    caption, names = ENCODINGS[encoding]
    message = refused(tmp_path, with_caption(caption).encode(encoding))
    assert caption[:8] in message
    for name in names:
        assert f"iconv -f {name} -t UTF-8" in message


@pytest.mark.parametrize(
    "before", ["~", "$HOME", "${HOME}", "%USERPROFILE%", "file://{home}", "file://localhost{home}"]
)
def test_the_home_folder_is_found(before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = pictures(tmp_path / "the home")
    monkeypatch.setenv("HOME", str(home))
    start = before.replace("{home}", str(home).replace(" ", "%20"))
    rows = ROWS.replace("1.png", f"{start}/imgs/1.png").replace("2.png", f"{start}/imgs/2.png")
    (tmp_path / "people.csv").write_text(HEADER + rows)
    assert open_dataset(tmp_path).pictures == [home / "imgs/1.png", home / "imgs/2.png"]


@pytest.mark.parametrize(
    "path",
    ["$DATA/9.png", "${DATA}/9.png", "%DATA%/9.png", "~somebody/9.png", "https://example.org/9.png", "s3://a/9.png",
     "http://example.org/", "data:image/png;base64,AAAA", "gs://a/9.png"],
)  # fmt: skip
def test_no_folder_is_made_of_what_is_no_path(path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(tmp_path, HEADER + f'"{path}",A man.,1,test\n')
    assert repr(path) in message
    main(["data", "check", str(tmp_path)])
    printed = "".join(capsys.readouterr())
    assert "mkdir" not in printed
    assert "mv " not in printed


def test_two_addresses_of_one_name_are_told(tmp_path: Path) -> None:
    rows = ROWS.replace("1.png", "https://example.org/a/1.png").replace("2.png", "https://example.org/b/1.png")
    message = refused(tmp_path, HEADER + rows)
    assert "ends in the same file name as 'https://example.org/a/1.png'; give each picture its own name" in message


def shards(folder: Path, column: Any = None) -> Path:
    """Hugging Face's layout: two files a split in ``data/``."""
    (folder / "data").mkdir(parents=True)
    for place, split in enumerate(("train", "test", "validation")):
        for number in range(2):
            name = f"{split}{number}.png"
            pictures(folder, (name,))
            row = {"image": column or name, "caption": f"{split} {number}", "identity": 2 * place + number}
            file = folder / "data" / f"{split}-{number:05}-of-00002.parquet"
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), file)
    return folder


def test_parquet_may_lie_in_several_files_a_split(tmp_path: Path) -> None:
    shards(tmp_path)
    for split, word in (("train", "train"), ("val", "validation"), ("test", "test")):
        dataset = open_dataset(tmp_path, split=split)
        assert dataset.captions == [f"{word} 0", f"{word} 1"]
        assert len(dataset.annotation_files) == 6
    before = open_dataset(tmp_path).sha256
    last = tmp_path / "data" / "test-00001-of-00002.parquet"
    pyarrow.parquet.write_table(
        pyarrow.Table.from_pylist([{"image": "test1.png", "caption": "another", "identity": 3}]), last
    )
    assert open_dataset(tmp_path).sha256 != before


def test_one_of_several_files_that_is_missing_is_told(tmp_path: Path) -> None:
    (shards(tmp_path) / "data" / "train-00001-of-00002.parquet").unlink()
    with pytest.raises(DataError, match=r"lacks train-00001-of-00002\.parquet, one of 2 files of a table; copy it"):
        open_dataset(tmp_path)


def test_pictures_inside_of_several_parquet_files_are_told(tmp_path: Path) -> None:
    shards(tmp_path, {"bytes": b"\x89PNG", "path": "a.png"})
    with pytest.raises(DataError, match="holds bytes in its column 'image', the pictures themselves; save each as a"):
        open_dataset(tmp_path)
