"""Errors: what a public function says it raises can be imported from tipr_zoo.errors."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from first_party import PACKAGES

import tipr_zoo
from tipr_zoo import errors

ROOT = Path(tipr_zoo.__file__).parent
FOLDERS = (ROOT, *PACKAGES)


def public_docstrings(tree: ast.AST, place: str) -> Iterator[tuple[str, str]]:
    """The functions, methods and classes of a module that are not private, and their docstrings."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield f"{place}.{node.name}", ast.get_docstring(node) or ""
            yield from public_docstrings(node, f"{place}.{node.name}")


def raised_names(docstring: str) -> list[str]:
    """The names under ``Raises:``."""
    section = re.search(r"^Raises:\n((?: {4}.*\n?|\n)+)", docstring, re.MULTILINE)
    return re.findall(r"^ {4}(\w+):", section[1], re.MULTILINE) if section else []


RAISED = [
    (f"{path.relative_to(folder.parent)}: {name}", raised)
    for folder in FOLDERS
    for path in sorted(folder.rglob("*.py"))
    for name, docstring in public_docstrings(ast.parse(path.read_text(encoding="utf-8")), path.stem)
    for raised in raised_names(docstring)
]


def test_there_is_something_to_look_at() -> None:
    names = {name for _, name in RAISED}
    assert len(RAISED) > 150
    assert {"HubError", "TrainingInterrupted", "BrokenPromiseError"} <= names


@pytest.mark.parametrize("name", sorted({name for _, name in RAISED}))
def test_what_a_public_function_raises_is_in_errors(name: str) -> None:
    kind = getattr(errors, name, getattr(builtins, name, None))
    assert isinstance(kind, type), f"raised by {[place for place, raised in RAISED if raised == name]}"
    assert issubclass(kind, BaseException)


def test_a_stopped_training_is_caught_as_ctrl_c_is() -> None:
    with pytest.raises(KeyboardInterrupt) as raised:
        raise errors.TrainingInterrupted("stopped by SIGTERM", 15)
    assert raised.value.exit_code == 143
    assert not issubclass(errors.TrainingInterrupted, Exception)


def test_a_broken_promise_fails_a_test_and_is_an_error_of_the_zoo() -> None:
    assert issubclass(errors.BrokenPromiseError, AssertionError)
    assert issubclass(errors.BrokenPromiseError, errors.TiprZooError)
