"""The files that a recipe is made of, looked at before any of them is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tipr_zoo.outside.files import SOURCE_LIMIT, read_bytes

_BASES = "_base_"
_MOST_FILES = 100


def check_sources(path: Path) -> None:
    """Check that a recipe and its bases are regular files up to a size, and few.

    Args:
        path: The recipe.

    Raises:
        OSError: One cannot be read, is no regular file, or is too large.
        SyntaxError: The recipe or a base is no Python.
        ValueError: They are too many, as where a recipe is its own base.
    """
    waiting, count = [path], 0
    while waiting:
        file = waiting.pop()
        count += 1
        if count > _MOST_FILES:
            raise ValueError(f"it has more than {_MOST_FILES} bases, {file} among them")
        content = read_bytes(file, SOURCE_LIMIT)
        if file.suffix == ".py":
            waiting += [file.parent / base for base in _bases(ast.parse(content, str(file)))]


def _bases(module: ast.Module) -> Iterator[str]:
    """Yield the names of the files that a recipe begins with, as MMEngine finds them."""
    for statement in module.body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == _BASES for target in statement.targets
        ):
            names = [node.value for node in ast.walk(statement.value) if isinstance(node, ast.Constant)]
            # With "::", it is a file of another package of MMEngine's family.
            yield from (name for name in names if isinstance(name, str) and "::" not in name)
