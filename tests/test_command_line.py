"""The command line: what it prints, what it imports, and how it says that something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.command_line import COMMANDS, command_module, main
from tipr_zoo.display.tables import Best, render_table
from tipr_zoo.models.lookup import load_card
from tipr_zoo.plugins.discovery import installed_plugins
from tipr_zoo.version import __version__

HEAVY = ["torch", "mmengine", "timm", "transformers", "torchvision", "numpy", "PIL", "huggingface_hub"]


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh process."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, timeout=300
    )


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["list", "irra*", "--json"],
        ["info", "sen_vitb16_cuhk"],
        ["leaderboard"],
        ["--help"],
        *([*name.split(), "--help"] for name in COMMANDS),
    ],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy_and_no_plugin(words: list[str]) -> None:
    plugins = [plugin.package for plugin in installed_plugins().values()]
    code = f"""
import sys
from tipr_zoo.command_line import main
try:
    code = main({words!r})
except SystemExit as exit:
    code = exit.code
assert code == 0, code
heavy = sorted({{name.partition(".")[0] for name in sys.modules}} & {{*{[*HEAVY, *plugins]!r}}})
assert not heavy, heavy
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = command_module(name)
    assert name == module.NAME
    assert "\n" not in module.HELP
    with pytest.raises(SystemExit) as exit_:
        main([*name.split(), "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert "example:" in text
    assert f"tipr-zoo {name}" in text.partition("example:")[2]
    assert "--debug" in text


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in text
        assert command_module(name).HELP in text
    assert main(["data", "--help"]) == 0
    assert "data synth" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tipr-zoo {__version__}\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "a command is missing; see `tipr-zoo --help`"),
        ("lits", "unknown command 'lits'; did you mean 'list'?"),
        ("data", "'data' is a group of commands: `tipr-zoo data synth`, `tipr-zoo data check`"),
        ("data sinth", "unknown command 'data sinth'; did you mean 'data synth'"),
        ("--verson", "unknown option '--verson'; did you mean '--version'"),
        ("list --datset CUHK-PEDES", "unknown option '--datset'; did you mean '--dataset'?"),
        ("list --datset=CUHK-PEDES", "unknown option '--datset'; did you mean '--dataset'?"),
        ("info --jsn", "unknown option '--jsn'; did you mean '--json'?"),
        ("info", "the following arguments are required: NAME"),
        ("info one two", "'two' is one word too many; see `tipr-zoo info --help`"),
        ("info irra_vitb16_cukh", "unknown model 'irra_vitb16_cukh'; did you mean 'irra_vitb16_cuhk'"),
        ("list irra", "no model is named 'irra'; did you mean the pattern '*irra*'?"),
        ("list irra_vitb16_cukh", "unknown model 'irra_vitb16_cukh'; did you mean 'irra_vitb16_cuhk'"),
        ("list --dataset CUKH-PEDES", "unknown data set 'CUKH-PEDES'; did you mean 'CUHK-PEDES'"),
        ("list --plugin sne", "unknown plugin 'sne'; did you mean 'sen'?"),
        ("leaderboard --format mardown", "unknown value of --format 'mardown'; did you mean 'markdown'?"),
        ("leaderboard --dataset CUKH-PEDES", "unknown data set 'CUKH-PEDES'; did you mean 'CUHK-PEDES'"),
        ("plugins --timeout soon", "argument --timeout: invalid float value: 'soon'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {message}")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("words", [["--debug", "info", "x"], ["info", "x", "--debug"]])
def test_debug_shows_the_traceback(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "Traceback (most recent call last)" in error
    assert error.splitlines()[-1].startswith("error: unknown model 'x'")


def test_ctrl_c_is_exit_code_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_module("list"), "run", interrupt)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX pipe")
def test_a_pipe_whose_reader_left_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "tipr_zoo", "leaderboard"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    assert (done.returncode, done.stderr) == (141, "")


class TestList:
    def test_columns(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["list", "irra_vitb16_cuhk"]) == 0
        header, _, row, *_ = capsys.readouterr().out.splitlines()
        assert header.split() == ["model", "plugin", "data", "set", "weights", "R1", "origin"]
        assert row.split() == ["irra_vitb16_cuhk", "core", "CUHK-PEDES", "none", "73.38", "reported", "†"]

    def test_a_missing_plugin_is_told_with_the_command_that_brings_it(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(command_module("list"), "installed_plugins", dict)
        assert main(["list", "sen_vitb16_cuhk"]) == 0
        text = capsys.readouterr().out
        assert "sen (not installed)" in text
        assert text.splitlines()[-1] == "plugin 'sen' is not installed; install it with: pip install tipr-zoo-sen"

    def test_a_filter_that_leaves_nothing_over_is_no_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["list", "irra*", "--plugin", "sen", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == []


def test_info_shows_nothing_that_a_terminal_would_obey(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = load_card("sen_vitb16_cuhk")
    odd = replace(card, description=card.description + "\n\x1b]0;title\x07")
    monkeypatch.setattr(command_module("info"), "load_card", lambda name: odd)
    assert main(["info", "sen_vitb16_cuhk"]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith("\N{REPLACEMENT CHARACTER}]0;title\N{REPLACEMENT CHARACTER}\n")
    assert "\x1b" not in printed


def test_info_shows_the_whole_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "irra_vitb16_cuhk"]) == 0
    text = capsys.readouterr().out
    for part in ("arxiv.org/abs/2303.12501", "best.pth", "test split", "73.38", "README of IRRA", "## Care"):
        assert part in text
    assert "tipr-zoo eval irra_vitb16_cuhk --data DIR" in text
    assert main(["info", "irra_vitb16_cuhk", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["metrics"]["R1"] == 73.38


def test_doctor_reports_versions_device_cache_and_what_is_missing(tmp_path: Path) -> None:
    code = "import sys; from tipr_zoo.command_line import main; sys.exit(main(['doctor', '--json']))"
    done = run_python(code, TIPR_ZOO_HOME=str(tmp_path / "home"))
    report = json.loads(done.stdout)
    assert report["tipr_zoo"] == __version__
    assert report["device"].startswith(("cpu", "cuda", "mps"))
    assert report["cache"] == {"folder": str(tmp_path / "home"), "exists": False, "bytes": 0}
    assert {"torch", "timm", "mmengine"} <= {row["name"] for row in report["dependencies"] if row["version"]}
    assert done.returncode == (1 if any(row["needed"] for row in report["missing"]) else 0)
    assert {row["plugin"] for row in report["plugins"]} >= {"sen", "fmfa"}


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"TIPR_ZOO_HOME": "/zoo", "XDG_CACHE_HOME": "/cache"}, Path("/zoo")),
        ({"XDG_CACHE_HOME": "/cache"}, Path("/cache/tipr_zoo")),
        ({}, Path("~/.cache/tipr_zoo").expanduser()),
    ],
)
def test_cache_folder(environment: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIPR_ZOO_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == folder


class TestTables:
    COLUMNS = ("model", "note", "R1")
    ROWS = (("a_model", "a long remark that goes on | and on", Best(75.0)), ("another_model", None, 9.5))

    def test_text_aligns_numbers_to_the_right(self) -> None:
        assert render_table(self.COLUMNS, self.ROWS).splitlines() == [
            "model          note                                    R1",
            "----------------------------------------------------------",
            "a_model        a long remark that goes on | and on  75.00*",
            "another_model                                        9.50",
        ]

    @pytest.mark.parametrize("width", [40, 55, 80])
    def test_text_fits_the_width_and_loses_nothing(self, width: int) -> None:
        lines = render_table(self.COLUMNS, self.ROWS, width=width).splitlines()
        assert max(map(len, lines)) <= width
        words = " ".join(lines).split()
        assert {"another_model", "remark", "75.00*", "9.50"} <= set(words)

    def test_markdown(self) -> None:
        assert render_table(self.COLUMNS, self.ROWS, "markdown").splitlines() == [
            "| model | note | R1 |",
            "| --- | --- | ---: |",
            "| a_model | a long remark that goes on \\| and on | **75.00** |",
            "| another_model |  | 9.50 |",
        ]

    def test_csv_and_json_hold_plain_values(self) -> None:
        assert render_table(self.COLUMNS, self.ROWS, "csv").splitlines()[-1] == "another_model,,9.5"
        rows = json.loads(render_table(self.COLUMNS, self.ROWS, "json"))
        assert rows[0]["R1"] == 75.0
        assert rows[1] == {"model": "another_model", "note": None, "R1": 9.5}

    def test_the_terminals_width_is_respected(self) -> None:
        code = "from tipr_zoo.command_line import main; main(['list'])"
        lines = run_python(code, COLUMNS="60").stdout.split("\n\n")[0].splitlines()
        assert max(map(len, lines)) <= 60


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "JSON"])
def test_file_names_that_are_no_text_can_be_shown(tmp_path: Path, options: list[str]) -> None:
    folder = tmp_path / "imgs/cam_a"
    folder.mkdir(parents=True)
    for name in (b"a.png", b"\xe4.png"):
        Image.new("RGB", (4, 8), "red").save(os.path.join(os.fsencode(folder), name).decode("utf-8", "surrogateescape"))
    entry = {"split": "test", "id": 1, "file_path": "cam_a/a.png", "captions": ["A man."]}
    (tmp_path / "reid_raw.json").write_text(json.dumps([entry]))
    words = [sys.executable, "-m", "tipr_zoo", "data", "check", str(tmp_path), "--name", "CUHK-PEDES", *options]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert done.returncode == 1  # the counts are not the published ones
    assert "cam_a/\\udce4.png is in no record" in done.stdout
    if options:
        assert "cam_a/\udce4.png" in "".join(note["message"] for note in json.loads(done.stdout)["notes"])
