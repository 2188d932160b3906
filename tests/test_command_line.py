"""The command line: what it prints, what it imports, and how it says that something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.command_line import COMMANDS, command_module, main
from tipr_zoo.commands.argument_parser import ArgumentParser
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


def test_an_option_of_several_values_that_is_given_twice_keeps_all_of_them() -> None:
    parser = ArgumentParser(prog="tipr-zoo train", description="")
    command_module("train").add_arguments(parser)
    words = ["irra_tiny_synth", "--cfg-options", "a=1", "b=2", "--resume", "--cfg-options", "c=3"]
    assert parser.parse(words).cfg_options == ["a=1", "b=2", "c=3"]
    assert parser.parse(["irra_tiny_synth"]).cfg_options == []
