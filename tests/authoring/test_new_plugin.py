"""``tipr-zoo new-plugin``: what it writes is clean and complete, and what cannot be named is refused with a fix.

That what it writes installs, trains and passes its own tests is shown in test_wheels.py.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tipr_zoo.authoring.new_plugin import TEMPLATES, PluginNames, rendered_files, write_plugin
from tipr_zoo.cards.card import read_card
from tipr_zoo.command_line import main
from tipr_zoo.plugins.contract import PLUGIN_CONTRACT


def test_it_says_what_it_wrote_and_what_to_type_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new-plugin", "hard-pairs"]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith("next:\n  pip install -e ./tipr-zoo-hard-pairs\n  tipr-zoo list --plugin hard_pairs\n")
    for path in rendered_files(PluginNames.of("hard-pairs")):
        assert f"  {path.as_posix()}\n" in printed
        assert (tmp_path / "tipr-zoo-hard-pairs" / path).is_file()


def test_json_and_another_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parent = tmp_path / "my plugins"
    assert main(["new-plugin", "hard-pairs", "--dir", str(parent), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["folder"] == str(parent / "tipr-zoo-hard-pairs")
    assert report["next"][0] == f"pip install -e '{parent}/tipr-zoo-hard-pairs'"
    assert "pyproject.toml" in report["files"]


@pytest.mark.parametrize("name", ["hard-pairs", "class", "loss", "my-2d-loss", "hard_pairs", "true", "null", "x" * 24])
def test_what_is_written_is_clean_whatever_the_name(name: str, tmp_path: Path) -> None:
    folder = write_plugin(name, tmp_path)
    names = PluginNames.of(name)
    for path in folder.rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))
    for check in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--no-cache", "--quiet", "."]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    assert not [path for path in folder.rglob("*") if path.is_file() and "$" in path.read_text(encoding="utf-8")]
    card = read_card(folder / names.package / "model_cards" / f"{names.model}.md")
    assert (card.plugin, card.config, card.weights) == (names.plugin, f"{names.model}.py", None)
    assert (folder / names.package / "configs" / card.config).is_file()
    assert f'PLUGIN_CONTRACT = "{PLUGIN_CONTRACT}"' in (folder / names.package / "__init__.py").read_text()


def test_every_template_is_used() -> None:
    assert {path.suffix for path in TEMPLATES.iterdir()} == {".template"}
    assert len(list(TEMPLATES.iterdir())) + 1 == len(rendered_files(PluginNames.of("x")))  # py.typed is empty


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("HardPairs", "try 'hard-pairs'"),
        ("hard pairs", "try 'hard-pairs'"),
        ("../hard", "try 'hard'"),
        ("3d-pairs", "try 'd-pairs'"),
        ("Nähe", "try 'nahe'"),
        ("hard--pairs", "try 'hard-pairs'"),
        ("人", "try 'my-loss'"),
        ("x" * 25, f"have at most 24 characters; try {'x' * 24!r}"),
        ("tipr-zoo-hard", "tipr-zoo- is put before it; leave it out: 'hard'"),
        ("tipr_zoo_hard", "tipr-zoo- is put before it; leave it out: 'hard'"),
        ("sen", "plugin name 'sen' is taken by tipr-zoo itself; choose another"),
        ("core", "plugin name 'core' is taken by tipr-zoo itself; choose another"),
        ("irra", "plugin name 'irra': a model 'irra_tiny_synth' is there; choose another"),
    ],
)
def test_a_name_that_cannot_be_one(name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-plugin", "--dir", str(tmp_path), name]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_name_of_an_installed_plugin_is_taken(tiny_zoo: Path, tmp_path: Path) -> None:
    assert main(["new-plugin", "--dir", str(tmp_path), "tiny"]) == 2
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["new-plugin", "hard-pairs", "--dir", str(tmp_path / "file")]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'file' / 'tipr-zoo-hard-pairs'} cannot be written: " in error
    assert error.endswith("; choose another --dir\n")


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_plugin("hard-pairs", tmp_path)
    (folder / "README.md").write_text("mine")
    assert main(["new-plugin", "hard-pairs", "--dir", str(tmp_path)]) == 2
    assert "is there already; remove it, or choose another name or --dir" in capsys.readouterr().err
    assert (folder / "README.md").read_text() == "mine"
    shutil.rmtree(folder)
    folder.touch()
    assert main(["new-plugin", "hard-pairs", "--dir", str(tmp_path)]) == 2
