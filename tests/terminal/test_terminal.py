"""The door to the terminal: what is printed, logged and suggested, in any locale."""

from __future__ import annotations

import ast
import csv
import io
import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from wcwidth import wcswidth

import tipr_zoo
from tipr_zoo.cards.index import core_cards_folder
from tipr_zoo.cards.record import Record, read_record, write_record
from tipr_zoo.command_line import COMMANDS, main
from tipr_zoo.display.tables import Cell, render_table, to_json
from tipr_zoo.display.text_layout import wrap
from tipr_zoo.errors import error_line
from tipr_zoo.terminal.cells import cell_width, cut, filled
from tipr_zoo.terminal.log import logger
from tipr_zoo.terminal.streams import SafeStream
from tipr_zoo.terminal.suggested_command import quoted, suggested_command

UNSAFE = ["\x1b]0;title\x07", "\x9b31m", "\u202etxt.exe", "\u2066", "\u200f", "\ufeff", "\u2028", "\U000e0041", "\r"]

SAFE = [
    "\u7ea2\u8272",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "o\u0308",
    "\u05d0\u05d1",
]
"""Chinese, Persian and an emoji with joiners, a combined letter, Hebrew."""


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a process of its own, with these entries of the environment."""
    environment = {**os.environ, **options.pop("environment", {})}
    return subprocess.run(
        [sys.executable, "-m", "tipr_zoo", *words], env=environment, timeout=300, **{"capture_output": True, **options}
    )


def record(**change: Any) -> Record:
    """A record of the zoo's own, with other entries."""
    return replace(read_record(sorted(core_cards_folder().rglob("*.json"))[0]), **change)


class TestEscapeRule:
    @pytest.mark.parametrize("text", UNSAFE, ids=ascii)
    def test_no_way_out_lets_an_unsafe_character_through(
        self, text: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        name = f"a{text}b.jpg"
        for format in "text", "markdown":
            assert text not in render_table([name], [[name]], format)
        assert text not in error_line(ValueError(name))
        logger.warning("%s: cannot be read", name)
        assert text not in caplog.text
        stream = io.StringIO()
        print(name, file=SafeStream(stream))
        assert text not in stream.getvalue()
        assert stream.getvalue().endswith("b.jpg\n")
        printed = to_json({"file": name})
        assert text not in printed
        assert json.loads(printed) == {"file": name}

    @pytest.mark.parametrize("text", SAFE, ids=ascii)
    def test_letters_of_all_languages_stay(self, text: str, caplog: pytest.LogCaptureFixture) -> None:
        logger.warning("%s", text)
        assert caplog.messages == [text]
        assert text in error_line(ValueError(text))
        assert text in to_json([text])
        assert text in render_table(["name"], [[text]])

    def test_a_log_of_somebody_elses_handler_is_escaped_too(self) -> None:
        handler = logging.StreamHandler(stream := io.StringIO())
        logger.addHandler(handler)
        try:
            logger.warning("%s: left out", "a\x1b[2Jb.jpg")
        finally:
            logger.removeHandler(handler)
        assert stream.getvalue() == "a\\x1b[2Jb.jpg: left out\n"

    def test_progress_bars_still_move(self) -> None:
        for text in ("\r 10%|#   | 1/10", "\n", "\x1b[A", "\n\n", "\r"):
            SafeStream(stream := io.StringIO()).write(text)
            assert stream.getvalue() == text

    @pytest.mark.parametrize("words", [["search", "irra_tiny_synth", ".", "a man"], ["data", "check", "."]], ids=str)
    def test_a_picture_with_such_a_name_reaches_no_stream(self, tmp_path: Path, words: list[str]) -> None:
        for name in ("a\x1b[31m\u202e.jpg", "b.jpg"):
            Image.new("RGB", (8, 16), "red").save(tmp_path / name)
        (tmp_path / "c\x1b[2J.jpg").write_bytes(b"no picture")
        done = run(*words, cwd=tmp_path)
        printed = done.stdout.decode() + done.stderr.decode()
        assert "Traceback" not in printed
        assert "\x1b" not in printed
        assert "\u202e" not in printed
        if words[0] == "search":
            assert "c\\x1b[2J.jpg" in printed


class TestJson:
    def test_numbers_that_are_not_finite_are_null(self) -> None:
        assert json.loads(to_json({"a": [float("nan"), 1.5, float("-inf")]})) == {"a": [None, 1.5, None]}

    @pytest.mark.parametrize(
        "environment",
        [
            {"LC_ALL": "C"},
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            {"PYTHONIOENCODING": "latin-1"},
            {"PYTHONIOENCODING": "utf-16"},
        ],
        ids=str,
    )
    def test_it_is_strict_utf_8_in_every_locale(self, tmp_path: Path, environment: dict[str, str]) -> None:
        write_record(record(model="\u7ea2"), tmp_path / "first.json")
        names = [b"first.json", b"\xe4.json", "\u7ea2.json".encode(), b"a\x7f\xc2\x9b.json"]
        for name in names[1:]:
            shutil.copyfile(tmp_path / "first.json", os.path.join(os.fsencode(tmp_path), name))
        done = run("leaderboard", "--records", str(tmp_path), "--json", environment=environment)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        rows = [row for row in json.loads(done.stdout.decode("utf-8", "strict")) if row["model"] == "\u7ea2"]
        found = [os.path.basename(row["source_url"]) for row in rows]
        if environment.get("PYTHONUTF8") != "0":  # otherwise Python itself reads bytes beyond ASCII as no text
            assert sorted(map(os.fsencode, found)) == sorted(names)
        assert len(found) == len(names)

    def test_a_page_is_utf_8_in_every_locale(self) -> None:
        done = run("leaderboard", "--format", "html", environment={"PYTHONIOENCODING": "ascii"})
        assert done.returncode == 0
        assert "\u2020" in done.stdout.decode("utf-8", "strict")


class TestLocale:
    @pytest.mark.parametrize(
        "environment",
        [
            {"LC_ALL": "C"},
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            {"PYTHONIOENCODING": "ascii"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("format", ["text", "markdown", "latex", "csv", "json", "html"])
    def test_the_leaderboard_has_no_traceback(self, environment: dict[str, str], format: str) -> None:
        done = run("leaderboard", "--format", format, environment=environment)
        assert (done.returncode, done.stderr) == (0, b"")

    @pytest.mark.parametrize("words", [["list", "--json"], ["list", "nothing"]], ids=" ".join)
    @pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
    def test_closed_streams_are_no_error(self, tmp_path: Path, words: list[str], closed: str) -> None:
        command = suggested_command(sys.executable, "-m", "tipr_zoo", *words)
        environment = {**os.environ, "TIPR_ZOO_HOME": str(tmp_path)}
        done = subprocess.run(f"{command} {closed}", shell=True, capture_output=True, env=environment)
        assert b"Traceback" not in done.stdout + done.stderr
        assert b"Exception ignored" not in done.stderr
        assert done.returncode == (2 if words == ["list", "nothing"] else 0)
        if closed == "2>&-" and words == ["list", "nothing"]:
            assert done.stdout == b""  # the error does not go where the results go

    def test_a_full_disk_is_told_once(self) -> None:
        if not os.path.exists("/dev/full"):
            pytest.skip("no /dev/full")
        with open("/dev/full", "wb") as full:
            done = run("leaderboard", capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 2
        assert done.stderr.decode().count("\n") == 1
        assert "No space left on device" in done.stderr.decode()


class TestNoHome:
    CODE = """
import sys, pwd, os
def nobody(number):
    raise KeyError(number)
pwd.getpwuid = nobody
from tipr_zoo.command_line import COMMANDS, main
sys.exit(main(sys.argv[1:]))
"""

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        left_out = ("HOME", "TIPR_ZOO_HOME", "XDG_CACHE_HOME")
        kept = {key: value for key, value in os.environ.items() if key not in left_out}
        return subprocess.run(
            [sys.executable, "-c", self.CODE, *words], capture_output=True, text=True, env={**kept, **environment}
        )

    @pytest.mark.parametrize("words", [["list"], ["leaderboard"], ["info", "irra_tiny_synth"]])
    def test_commands_run(self, tmp_path: Path, words: list[str]) -> None:
        done = self.run(*words, TMPDIR=str(tmp_path))
        assert (done.returncode, done.stderr) == (0, "")
        (folder,) = tmp_path.glob("tipr_zoo-*")
        assert folder.stat().st_mode & 0o777 == 0o700

    def test_the_doctor_says_so(self, tmp_path: Path) -> None:
        done = self.run("doctor", "--json", TMPDIR=str(tmp_path))
        assert "Traceback" not in done.stderr
        cache = json.loads(done.stdout)["cache"]
        assert Path(cache["folder"]).parents[1] == tmp_path
        assert cache["note"] == "there is no home folder; set TIPR_ZOO_HOME to one that stays"

    def test_a_folder_of_somebody_else_is_not_used(self, tmp_path: Path) -> None:
        (tmp_path / f"tipr_zoo-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").mkdir()
        assert self.run("list", TMPDIR=str(tmp_path)).returncode == 0
        assert not list((tmp_path / "elsewhere").iterdir())

    @pytest.mark.parametrize(
        "words", [["data", "check", "~nobody_at_all/x"], ["new-plugin", "p", "--dir", "~nobody_at_all"]]
    )
    def test_a_home_of_nobody_is_one_line(self, words: list[str]) -> None:
        done = self.run(*words)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "~nobody_at_all" in done.stderr

    def test_so_is_one_in_the_environment(self) -> None:
        done = self.run("list", TIPR_ZOO_HOME="~nobody_at_all/cache")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "TIPR_ZOO_HOME is ~nobody_at_all/cache" in done.stderr


class TestFormulas:
    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "\r\n=", "\uff1d", "\u200b="], ids=ascii)
    def test_a_text_cell_is_no_formula(self, start: str) -> None:
        text = f"{start}cmd|' /C calc'!A0"
        (names, cells) = csv.reader(io.StringIO(render_table([text], [[text]], "csv"), newline=""))
        assert names == cells == [f"'{text}"]

    def test_numbers_stay_numbers(self) -> None:
        assert render_table(["a", "b"], [[-1.5, "a=b"]], "csv") == "a,b\n-1.5,a=b"

    def test_nor_is_a_model_on_the_leaderboard(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write_record(record(model="=cmd|' /C calc'!A0"), tmp_path / "mine.json")
        assert main(["leaderboard", "--records", str(tmp_path), "--format", "csv"]) == 0
        table = csv.DictReader(io.StringIO(capsys.readouterr().out))
        assert "'=cmd|' /C calc'!A0" in [row["model"] for row in table]


_BEGIN = rf"tipr-zoo (?:{'|'.join(COMMANDS)})\\b|pip (?:un)?install|\\b(?:mv|cp|rm|mkdir|iconv) |python -m|torchrun"

QUOTED_BEFORE = {
    "card_writing.py": ["name", "weights", "records[0].split"],  # the last stands behind the command
    "conversion.py": ["method"],  # one of the methods that there are
    "info.py": ["weights"],
    "installed_client.py": ["extra"],  # one of the extras that there are
    "page.py": ["escape(__version__)"],  # stands behind the command
    "text.py": ["name", "new", "kept"],
    "train.py": ["changed"],
    "weights_info.py": ["file", "name", "output"],
}
"""Names that hold what was quoted above the line, or constants."""


def values_in_commands(path: Path) -> Iterator[str]:
    """The values that an f-string puts into a command without `quoted` and `suggested_command`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        is_command = False
        for part in node.values if isinstance(node, ast.JoinedStr) else ():
            if isinstance(part, ast.Constant):
                for mark in re.findall(rf"{_BEGIN}|`|\n|; ", part.value):
                    is_command = re.fullmatch(_BEGIN, mark) is not None
            elif is_command and not re.match(r"\{(quoted|suggested_command)\(", ast.unparse(part).strip("f'\"")):
                yield ast.unparse(part.value)  # type: ignore[attr-defined]


class TestSuggestedCommands:
    WORDS = (
        "evil'; touch PWN; '.pt",
        "$(touch PWN)",
        "a b",
        "a  b",
        " a",
        "a\nb",
        "a\x1b[31mb",
        "\udce4",
        "\u7ea2",
        "\u202ea",
        "`x`",
        "!x",
        "",
    )

    @pytest.mark.parametrize("word", WORDS, ids=ascii)
    def test_a_shell_reads_the_same_word(self, word: str) -> None:
        command = suggested_command("printf", "%s", word)
        assert error_line(ValueError(command)) == command  # a message keeps it as it is
        done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
        assert done.stdout == os.fsencode(word)

    def test_there_is_one_function_that_quotes(self) -> None:
        package = Path(tipr_zoo.__file__).parent
        mark = re.compile(r"\bshlex\.(?!split)|from (shlex|pipes)")
        found = {path.name for path in package.rglob("*.py") if mark.search(path.read_text("utf-8"))}
        assert found == {"suggested_command.py"}

    def test_every_value_in_a_command_that_is_advised_is_quoted(self) -> None:
        package = Path(tipr_zoo.__file__).parent
        found = {f"{path.name}: {value}" for path in package.rglob("*.py") for value in values_in_commands(path)}
        found -= {f"{name}: {value}" for name, values in QUOTED_BEFORE.items() for value in values}
        assert found == set()

    @pytest.mark.parametrize("words", [["eval"], ["data", "check"]], ids=" ".join)
    def test_messages_quote(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        evil = "no 'folder'; touch PWN"
        assert main([*words, evil]) == 2
        (command,) = re.findall(r"tipr-zoo (?:eval|data synth) (.*?)(?: --data DIR|`)", capsys.readouterr().err)
        assert shlex.split(command) == [evil]

    def test_a_path_is_no_option(self) -> None:
        assert quoted(Path("-rf.pt")) == "./-rf.pt"
        assert quoted("--json") == "--json"


class TestCells:
    TEXT = "\u4e00\u4e2a\u7a7f\u7ea2\u8272\u5916\u5957\u7684\u7537\u4eba a man o\u0308"

    def test_columns_stand_under_each_other(self) -> None:
        rows: list[list[Cell]] = [[self.TEXT, 1.5], ["plain", 2.5], ["\U0001f468\u200d\U0001f469\u200d\U0001f467", 3.5]]
        lines = render_table(["name", "R1"], rows).splitlines()
        assert len({wcswidth(line) for line in lines}) == 1

    @pytest.mark.parametrize("width", [4, 7, 10, 20])
    def test_lines_fit(self, width: int) -> None:
        for lines in (wrap(self.TEXT, width), cut(self.TEXT, width), filled(self.TEXT, width, "- ", "  ").split("\n")):
            assert max(map(wcswidth, lines)) <= width
            assert "".join("".join(lines).split()).lstrip("- ") == "".join(self.TEXT.split())

    def test_of_plain_letters_a_cell_is_a_letter(self) -> None:
        assert [cell_width(text) for text in ("", "abc", "\u7ea2", "o\u0308")] == [0, 3, 2, 1]

    def test_every_letter_counts_as_the_table_of_widths_says(self) -> None:
        letters = [chr(code) for code in range(0x20, 0x3000) if chr(code).isprintable()]
        assert [letter for letter in letters if cell_width(letter) != max(0, wcswidth(letter))] == []


UNCAUGHT = r"""
import sys, threading, warnings, logging
import tipr_zoo.command_line as door

EVIL = "\x1b[31mred\u202e\x07"

class Evil(Exception):
    def __str__(self):
        return EVIL

def bug(words):
    raise Evil

def chained(words):
    from tipr_zoo.errors import DataError
    try:
        raise Evil
    except Evil as error:
        raise DataError(EVIL) from error

def warning(words):
    warnings.warn(EVIL)
    for name in ("PIL.Image", "transformers.tokenization", "tipr_zoo"):
        logging.getLogger(name).error(EVIL)
    return 0

def thread(words):
    started = threading.Thread(target=bug, args=[words])
    started.start()
    started.join()
    return 0

def exit(words):
    sys.exit(EVIL)

def loader(words):
    import torch.utils.data

    class Pictures(torch.utils.data.Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            print(EVIL, file=sys.stderr)
            raise OSError(EVIL)

    list(torch.utils.data.DataLoader(Pictures(), num_workers=1))

def pool(words):
    from tipr_zoo.machine.processes import process_pool
    with process_pool(1) as opened:
        opened.submit(print, EVIL).result()
        opened.submit(exec, f"raise ValueError({EVIL!r})").result()

if __name__ == "__main__":
    door._run = globals()[sys.argv.pop(1)]
    sys.exit(door.main())
"""


@pytest.mark.parametrize("way", ["bug", "chained", "warning", "thread", "exit", "loader", "pool"])
def test_no_way_out_of_a_process_lets_an_unsafe_character_through(way: str, tmp_path: Path) -> None:
    script = tmp_path / "uncaught.py"
    script.write_text(UNCAUGHT)
    done = subprocess.run([sys.executable, script, way, "--debug"], capture_output=True, timeout=300)
    shown = (done.stdout + done.stderr).decode("utf-8")
    assert "\\x1b[31mred\\u202e\\x07" in shown
    assert not re.search("[\x1b\x07\u202e]", shown)
    assert done.returncode == {"warning": 0, "thread": 0, "chained": 2, "loader": 2}.get(way, 1)
