"""A walk over the calls in the zoo's sources, for tests that forbid some of them but where they say why."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]

Calls = Callable[[str], Iterable[tuple[int, str]]]
"""Finds, in a source, the line and the function of every call of some kind."""

Exceptions = Mapping[str, Mapping[str, str]]
"""By file, the functions that may be called there, and why."""


NO_FILES = ("webbrowser", "Gallery", "kind", "cls", "engine_of(address)")
"""Whose ``open`` opens no file: a page, or a gallery, whose engine is looked at for itself."""


def sources() -> list[Path]:
    """Every module of the core and of the plugins, tests excepted."""
    found = [path for folder in ("tipr_zoo", "plugins") for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in found if "tests" not in path.relative_to(ROOT).parts)


def not_excepted(calls: Calls, exceptions: Exceptions) -> list[str]:
    """Every call that is found and not among the exceptions, as ``FILE:LINE: FUNCTION``."""
    found = {
        (path.relative_to(ROOT).as_posix(), name, line)
        for path in sources()
        for line, name in calls(path.read_text(encoding="utf-8"))
    }
    return [f"{file}:{line}: {name}" for file, name, line in sorted(found) if name not in exceptions.get(file, {})]


def check_exceptions(calls: Calls, exceptions: Exceptions) -> None:
    """Check that every exception stands for a call that is there."""
    there = {path: {name for _, name in calls((ROOT / path).read_text(encoding="utf-8"))} for path in exceptions}
    assert {path: set(names) for path, names in exceptions.items()} == there


def named(call: ast.Call) -> tuple[str, str]:
    """What a call's function is of, and its own name: ``("np", "load")`` of ``np.load(path)``."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return ast.unparse(function.value), function.attr
    return "", getattr(function, "id", "")


def given_mode(call: ast.Call, place: int) -> list[ast.expr]:
    """The mode that a file is opened in: a keyword, or the argument at this place; none where it is left out."""
    return [keyword.value for keyword in call.keywords if keyword.arg == "mode"] or call.args[place : place + 1]
