"""What every public function says of itself, and that the examples in docstrings are true."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from first_party import PACKAGES

import tipr_zoo

ROOT = Path(tipr_zoo.__file__).parents[1]
SOURCES = (
    ROOT / "tipr_zoo",
    *PACKAGES,
)
MANY = 3
"""A function of so many parameters or more describes each of them."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    """Every module that has a docstring for readers; recipes are not imported."""
    return [path for source in SOURCES for path in sorted(source.rglob("*.py")) if "configs" not in path.parts]


def public_functions(path: Path) -> Iterator[tuple[str, Function, str]]:
    """Yield the functions and methods of a module that others may call: name, definition, and the docstring they go by.

    A constructor is described by its class. What MMEngine's ``Hook`` defines is described there.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node.name, node, ast.get_docstring(node) or ""
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if not isinstance(method, Function) or is_of_hook(node, method.name):
                    continue
                if method.name == "__init__":
                    yield f"{node.name}.__init__", method, ast.get_docstring(node) or ""
                elif not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method, ast.get_docstring(method) or ""


def is_of_hook(kind: ast.ClassDef, method: str) -> bool:
    """Tell whether MMEngine's ``Hook`` defines a method of a class that derives from one."""
    return any(ast.unparse(base).endswith("Hook") for base in kind.bases) and method.startswith(("before_", "after_"))


def parameters(function: Function) -> list[str]:
    """The names that a caller gives, without ``self``, ``*`` and ``**``."""
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_public_thing_is_described(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    missing = [] if ast.get_docstring(tree) or not tree.body else ["the module"]
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            missing += [] if ast.get_docstring(node) else [node.name]
    for name, function, docstring in public_functions(path):
        if len(names := parameters(function)) >= MANY:
            section = re.search(r"^ *Args:\n(.*?)(?=^ *(?:Returns|Raises|Yields):|\Z)", docstring, re.M | re.S)
            described = set(re.findall(r"^ {4,8}(\w+)[^:\n]*:", section[1], re.M)) if section else set()
            missing += [f"{name}: {parameter}" for parameter in names if parameter not in described]
    assert not missing


def examples() -> list[str]:
    """The modules whose docstrings have examples."""
    return [
        ".".join(path.relative_to(source.parent).with_suffix("").parts).removesuffix(".__init__")
        for source in SOURCES
        for path in sorted(source.rglob("*.py"))
        if re.search(r"^ *>>> ", path.read_text(encoding="utf-8"), re.M)
    ]


@pytest.mark.parametrize("module", examples())
def test_the_examples_in_docstrings_are_true(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed
