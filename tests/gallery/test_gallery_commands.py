"""The commands of galleries, as typed: counts, JSON, paths for pipes, several sentences, and mistakes in one line."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from tipr_zoo.command_line import main

TINY_PRETRAINED = "a_tiny_pretrained_model"
TEXT, OTHER = "a man in a red jacket and blue jeans", "a woman with a yellow bag"


@pytest.fixture
def place(tiny_zoo: Path, people: Path, tmp_path: Path) -> str:
    """A gallery that the commands have made."""
    place = str(tmp_path / "g")
    assert main(["gallery", "create", place, "--model", TINY_PRETRAINED, "--device", "cpu"]) == 0
    assert main(["gallery", "add", place, str(people), "--pattern", "cam{camera}/{person}_*", "--device", "cpu"]) == 0
    return place


def test_a_gallery_is_kept_up_and_searched(place: str, people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["gallery", "status", place, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["pictures"], status["contents"], status["facts"]) == (4, 4, {"camera": "number", "person": "text"})
    assert main(["gallery", "status", place]) == 0
    assert str(people) in capsys.readouterr().out
    assert main(["search", place, TEXT, "--where", "camera=1", "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)
    assert {hit["facts"]["camera"] for hit in hits} == {1}
    assert len(hits) == 2
    assert main(["search", place, "--top", "2", TEXT, OTHER, "--json"]) == 0
    several = json.loads(capsys.readouterr().out)
    assert [(one["query"], len(one["hits"])) for one in several] == [(TEXT, 2), (OTHER, 2)]
    assert main(["search", place, "--like", str(hits[0]["picture"]), "--top", "1"]) == 0
    assert Path(hits[0]["picture"]).name in capsys.readouterr().out
    os.unlink(hits[0]["picture"])
    assert main(["gallery", "check", place]) == 1
    assert "are not there" in capsys.readouterr().out
    assert main(["gallery", "refresh", place, "--device", "cpu"]) == 0
    assert capsys.readouterr().out == f"{place}: 0 embedded, 3 unchanged, 1 removed\n"
    assert main(["gallery", "check", place, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 3
    assert main(["gallery", "remove", place, str(people / "cam2")]) == 0
    assert main(["gallery", "copy", place, place + "2"]) == 0
    assert capsys.readouterr().out.endswith("2: 1 pictures\n")


def test_paths_and_sentences_go_through_pipes(
    place: str, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    capfdbinary.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{TEXT}\n\n{OTHER}\n"))
    assert main(["search", place, "--file", "-", "--top", "2", "--null"]) == 0
    paths = capfdbinary.readouterr().out.split(b"\0")
    assert len(paths) == 5
    assert all(os.path.isfile(path) for path in paths[:-1])


def test_a_plain_folder_is_embedded_once(
    tiny_zoo: Path,
    people: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))
    words = ["search", TINY_PRETRAINED, str(people), TEXT, "--json", "--device", "cpu"]
    assert main(words) == 0
    first = capsys.readouterr()
    assert f"{people}: 4 embedded, 0 unchanged" in first.err
    assert main(words) == 0
    second = capsys.readouterr()
    assert f"{people}: 0 embedded, 4 unchanged" in second.err
    assert second.out == first.out
    assert all(hit["picture"].startswith(str(people)) for hit in json.loads(first.out))
    monkeypatch.setenv("TIPR_ZOO_HOME", "/dev/null/none")
    assert main(words) == 0
    third = capsys.readouterr()
    assert [hit["picture"] for hit in json.loads(third.out)] == [hit["picture"] for hit in json.loads(first.out)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "{g}none", TEXT], "there is no gallery at {g}none"),
        (["search", "{g}none"], "there is no gallery at {g}none"),
        (["search", "{g}"], "there is nothing to search for"),
        (["search", "{g}", ""], "the sentence to search for is empty"),
        (["search", "{g}", TEXT, "--where", "camera"], "a condition is FACT"),
        (["search", "{g}", TEXT, "--part", "bge"], "--part is of a folder alone"),
        (["search", "{g}", "--file", "{g}/none.txt"], "cannot read {g}/none.txt"),
        (["search", "{g}", TEXT, "--minus-weight", "0.7"], "--minus-weight has nothing to count; give --minus TEXT"),
        (["search", "{g}", TEXT, "--like-weight", "2"], "--like-weight has nothing to count; give --like PICTURE"),
        (["search", "{g}", "--like", "a.jpg", "--text-weight", "2"], "--text-weight has nothing to count"),
        (["search", TINY_PRETRAINED, "{g}", TEXT, "--minus-weight", "1"], "--minus-weight has nothing to count"),
        (["gallery", "add", "{g}none", "{g}"], "no gallery at {g}none"),
        (["gallery", "add", "{g}", "{g}"], "no picture in {g}"),
        (["gallery", "add", "{g}", "{g}", "--part", "5"], "--part takes NUMBER/COUNT"),
        (["gallery", "create", "{g}", "--model", TINY_PRETRAINED], "there is a gallery at {g} already"),
        (["gallery", "create", "{g}2", "--model", "a_tiny_model"], "no weights of a_tiny_model are published"),
        (["gallery", "remove", "{g}", "{g}/none"], "holds no picture {g}/none"),
        (["gallery", "copy", "{g}", "{g}"], "cannot be copied into itself"),
        (["gallery", "status", "ftp://a"], "unknown kind of address 'ftp://'"),
    ],
)
def test_a_mistake_is_one_line(place: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main([word.format(g=place) for word in words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message.format(g=place) in printed.err
    assert printed.err.count("\n") == 1


def test_hits_are_told_where_the_file_of_one_is_gone(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["search", place, TEXT, "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)
    os.unlink(hits[1]["picture"])
    assert main(["search", place, TEXT, "--picture", str(tmp_path / "hits.png")]) == 2
    captured = capsys.readouterr()
    assert all(hit["picture"] in captured.out for hit in hits)
    assert hits[1]["picture"] in captured.err


@pytest.mark.parametrize("other", ["--paths", "--null"])
def test_two_kinds_of_output_are_refused(place: str, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", place, TEXT, "--json", other]) == 2
    assert "leave one out" in capsys.readouterr().err


def test_the_line_of_a_file_that_is_no_sentence_is_named(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sentences.txt"
    file.write_bytes(b"a man in red\r\n\r\na woman\xe2\x80\xa8with a bag\r\n...\r\n")
    assert main(["search", place, TEXT, "--file", str(file)]) == 2
    assert f"line 4 of {file} has no word" in capsys.readouterr().err
