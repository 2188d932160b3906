"""The rooms of the house: what may stand at the top, who imports whom, and what stays light."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from first_party import PACKAGES as PLUGIN_PACKAGES

import tipr_zoo
from tipr_zoo.command_line import COMMANDS

PACKAGE = Path(tipr_zoo.__file__).parent
ROOT = PACKAGE.parent
LIGHT = (
    "cards",
    "hub",
    "plugins",
    "schemas",
    "registry.py",
    "registries.py",
    "models/lookup.py",
    "leaderboard/rows.py",
)
"""Rooms and modules of which `tipr-zoo list` and the leaderboard are made: none of them imports torch."""

PRINTING = ("commands/", "command_line.py", "terminal/streams.py", "training/loop/interruption.py")
"""Who may write to stdout or stderr; the others return rows, texts and pictures, or log. The last answers Ctrl-C."""


def modules() -> Iterator[tuple[str, ast.Module, list[str]]]:
    """Every module of the core: its path in the package, its syntax tree and its lines."""
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(text), text.splitlines()


def imported_by(tree: ast.AST) -> set[str]:
    """The modules of the zoo that are imported anywhere in a tree."""
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    found |= {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return found | {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}


def test_what_stands_at_the_top_is_what_a_plugin_may_import() -> None:
    top = sorted(path.stem for path in PACKAGE.glob("*.py"))
    assert len(top) <= 18, top
    page = (ROOT / "docs" / "plugin_contract.md").read_text(encoding="utf-8")
    unnamed = [name for name in top if name not in {"__init__", "__main__"} and f"`tipr_zoo.{name}" not in page]
    assert unnamed == ["version"]  # which is tipr_zoo.__version__


def test_every_room_has_a_folder_of_tests() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert not rooms - tested


def test_no_command_imports_another() -> None:
    commands = {f"tipr_zoo.commands.{module}" for module in COMMANDS.values()}
    for path, tree, _ in modules():
        if path.startswith("commands/"):
            assert not imported_by(tree) & commands, path


def test_an_import_inside_a_function_says_why() -> None:
    unexplained = []
    for path, tree, lines in modules():
        if path.startswith("commands/"):  # which say it once, in their package
            continue
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            imports = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
            # One reason is enough for imports that stand together.
            told = [node for node in imports if any("#" in line for line in lines[node.lineno - 2 : node.end_lineno])]
            lines_told = {line for node in told for line in range(node.lineno, node.lineno + 6)}
            unexplained += [f"{path}:{node.lineno}" for node in imports if node.lineno not in lines_told]
    assert not unexplained


def test_only_commands_print() -> None:
    found = []
    for path, tree, _ in modules():
        if path.startswith(PRINTING):
            continue
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        found += [f"{path}:{call.lineno}" for call in calls if call.func.id == "print"]  # type: ignore[attr-defined]
    assert not found


@pytest.mark.parametrize("place", LIGHT)
def test_what_lists_models_imports_no_torch(place: str) -> None:
    files = [PACKAGE / place] if place.endswith(".py") else sorted((PACKAGE / place).glob("*.py"))
    names = [".".join(("tipr_zoo", *file.relative_to(PACKAGE).with_suffix("").parts)) for file in files]
    code = f"import sys, {', '.join(names)}; print(sorted({{'torch', 'timm', 'transformers'}} & set(sys.modules)))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "line", "told"),
    [
        (
            "cards/card.py",
            "import tipr_zoo.training.train",
            "tipr_zoo.cards is not allowed to import tipr_zoo.training",
        ),
        ("errors.py", "import tipr_zoo.close_matches", "tipr_zoo.errors -> tipr_zoo.close_matches"),
        ("leaderboard/row.py", "import tipr_zoo.leaderboard.page", "No cycles are allowed in tipr_zoo.leaderboard"),
    ],
)
def test_an_import_upwards_fails_the_lint_and_is_named(module: str, line: str, told: str, tmp_path: Path) -> None:
    for folder in (PACKAGE, *PLUGIN_PACKAGES):
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "model_cards", tmp_path / "tipr_zoo" / "model_cards")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "tipr_zoo" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 1
    assert told in process.stdout
