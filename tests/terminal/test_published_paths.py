"""What people publish, made with absolute paths, says nothing of the folders of the machine that made it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.terminal.test_terminal import record
from tipr_zoo.authoring.hub_push import plan_push
from tipr_zoo.cards.record import read_record, write_record
from tipr_zoo.command_line import main
from tipr_zoo.display.tables import FORMATS
from tipr_zoo.terminal.published_paths import published_path, published_text, told_apart, without_folders

TINY, TINY_PRETRAINED = "a_tiny_model", "a_tiny_pretrained_model"


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "shown"),
        [
            ("runs/best.pt", "runs/best.pt"),
            ("best.pt", "best.pt"),
            ("/home/me/best.pt", "best.pt"),
            ("../me/best.pt", "best.pt"),
            ("runs/../../me/best.pt", "best.pt"),
            ("~/best.pt", "best.pt"),
            ("C:\\Users\\me\\best.pt", "best.pt"),
            ("//server/share/best.pt", "best.pt"),
        ],
    )
    def test_a_path_that_leads_down_stays(self, path: str, shown: str) -> None:
        assert published_path(path) == shown

    def test_one_below_the_current_folder_leads_down(self) -> None:
        assert published_path(Path.cwd() / "runs" / "best.pt") == str(Path("runs/best.pt"))

    def test_equal_names_are_told_apart_by_as_many_folders_as_it_takes(self) -> None:
        paths = [Path("/a/x/y/best.pt"), Path("/b/x/y/best.pt"), Path("/b/z/best.pt"), Path("/b/other.pt")]
        assert list(told_apart(paths).values()) == ["a/x/y/best.pt", "b/x/y/best.pt", "z/best.pt", "other.pt"]

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("/home/me/best.pt: no such file", "best.pt: no such file"),
            ("no picture at '/home/me/a.jpg', named by /data/x/b.json", "no picture at 'a.jpg', named by b.json"),
            ("see https://example.org/a/b.html", "see https://example.org/a/b.html"),
            ("C:\\Users\\me\\a.jpg is damaged", "a.jpg is damaged"),
            ("\\\\server\\share\\a.jpg is damaged", "a.jpg is damaged"),
            ("file:///home/me/a.jpg", "a.jpg"),
            ("~/x/a.jpg and runs/x/a.jpg and ./x/a.jpg", "a.jpg and runs/x/a.jpg and ./x/a.jpg"),
            ("either/or, 3/4 and 1 / 2", "either/or, 3/4 and 1 / 2"),
        ],
    )  # fmt: skip
    def test_a_message_keeps_names_alone(self, text: str, shown: str) -> None:
        assert published_text(text) == shown

    def test_a_folder_with_blanks_goes_where_it_is_known(self) -> None:
        folder = Path("/home/my name/the data")
        assert published_text(f"{folder}/a.jpg is damaged", [folder]) == "the data/a.jpg is damaged"

    @pytest.mark.parametrize(
        ("command", "shown"),
        [
            ("eval m --weights=/home/me/a.pt", "eval m --weights=a.pt"),
            ("eval --matrix m=/home/me/a.pt n=runs/b.pt", "eval --matrix m=a.pt n=runs/b.pt"),
            ("eval m --cfg-options model.words=/home/me/words.txt", "eval m --cfg-options model.words=words.txt"),
            ("eval m --cfg-options \"a.b='/x/a.txt'\"", "eval m --cfg-options 'a.b='\"'\"'a.txt'\"'\"''"),
            ("eval m --weights ../me/a.pt", "eval m --weights a.pt"),
            ("search hub:a/b 'a man / woman'", "search hub:a/b 'a man / woman'"),
        ],
    )  # fmt: skip
    def test_so_does_a_command(self, command: str, shown: str) -> None:
        assert without_folders(command) == shown


@pytest.fixture(scope="module")
def place(tiny_zoo: Path, synthpedes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name is nowhere else, with data, weights and records."""
    folder = tmp_path_factory.mktemp("a secret place")
    for copy in ("one/data", "two/data"):
        shutil.copytree(synthpedes, folder / copy)
    for run in ("one", "two"):
        shutil.copy(tiny_zoo / "tiny.safetensors", folder / run / "best.safetensors")
    options = ["--weights", str(folder / "one" / "best.safetensors"), "--records", str(folder / "records")]
    assert main(["eval", TINY, "--data", str(folder / "one" / "data"), "--device", "cpu", *options]) == 0
    old = f"tipr-zoo eval {TINY} --data DIR --weights '{folder}/one/best.safetensors'"
    (written,) = (folder / "records").glob("*.json")
    write_record(replace(read_record(written), command=old), folder / "old" / "record.json")
    write_record(record(model="older", command=old), folder / "records" / "older.json")
    return folder


def check(place: Path, text: str) -> None:
    """No folder above the place is named, and neither is the home."""
    assert text
    for folder in (place, place.parent, Path.home()):
        assert str(folder) not in text
    assert "a secret place" not in text


def test_neither_does_a_record(place: Path) -> None:
    for file in (place / "records").glob(f"{TINY}*.json"):
        check(place, file.read_text())


@pytest.mark.parametrize("format", FORMATS)
def test_nor_an_evaluation(format: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", TINY, "--data", str(place / "one" / "data"), "--weights", str(place / "two" / "best.safetensors")]
    assert main([*words, "--device", "cpu", "--format", format]) == 0
    check(place, capsys.readouterr().out)


@pytest.mark.parametrize("format", [format for format in FORMATS if format != "text"])
def test_nor_a_matrix_even_of_what_fails(format: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = [TINY, *(f"{TINY}={place / run / 'best.safetensors'}" for run in ("one", "two", "gone"))]
    data = [str(place / "one" / "data"), str(place / "two" / "data"), str(place / "nowhere")]
    assert main(["eval", "--matrix", *models, "--data", *data, "--device", "cpu", "--format", format]) == 1
    streams = capsys.readouterr()
    check(place, streams.out)
    assert "data" in streams.out
    assert str(place / "nowhere") in streams.err  # for whoever mends it


@pytest.mark.parametrize("format", ["markdown", "latex", "csv", "html", "json", "text"])
def test_nor_the_leaderboard(format: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "--records", str(place / "records"), "--format", format]) == 0
    check(place, capsys.readouterr().out)


def test_nor_a_card_and_what_is_pushed(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--from-weights", str(place / "one" / "best.safetensors"), "--record", str(place / "old" / "record.json")]
    words += ["--license", "mit", "--dataset", "SynthPEDES", "--folder", str(tmp_path)]
    assert main(["cards", "new", "my_model", *words]) == 0
    card = tmp_path / "my_model.md"
    for file in (card, *tmp_path.rglob("*.json")):
        check(place, file.read_text())
    lines = [line for line in card.read_text().splitlines() if "TODO" not in line]
    lines = [
        line.replace("best.safetensors", "/data/hidden/best.safetensors") for line in lines
    ]  # as cards were before
    card.write_text("\n".join(lines) + "\n")
    (copied,) = tmp_path.rglob("*.json")
    write_record(replace(read_record(copied), command=f"tipr-zoo eval my_model --weights '{place}/x.pt'"), copied)
    for pushed in plan_push(str(card), "me/my_model").files:
        if pushed.kind != "weights":
            text = pushed.content if isinstance(pushed.content, str) else pushed.content.read_text()
            check(place, text)
            check(tmp_path, text)
            assert "hidden" not in text


@pytest.mark.parametrize("format", ["text", "markdown", "csv", "json"])
def test_nor_a_reproduction(
    format: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["reproduce", TINY, "--data", str(place / "one" / "data"), "--seeds", "0", "--device", "cpu"]
    words += ["--weights", str(place / "one" / "best.safetensors"), "--work-dir", str(place / "work")]
    assert main([*words, "--cfg-options", "training.max_epochs=1", "--format", format]) == 0
    check(place, capsys.readouterr().out)
