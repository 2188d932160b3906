"""Deprecation: a warning one minor version ahead that its user sees, and a test that fails when the time is up."""

from __future__ import annotations

import ast
import re
import runpy
import warnings
from pathlib import Path

import pytest

from tipr_zoo.plugins.deprecation import warn_deprecated
from tipr_zoo.version import __version__

ROOT = Path(__file__).parents[2]


def minor_version(version: str) -> tuple[int, int]:
    major, minor = re.findall(r"\d+", version)[:2]
    return int(major), int(minor)


def mistakes(source: str, version: str) -> list[str]:
    """What is wrong with the calls of `warn_deprecated` in a module, in a tipr-zoo of this version."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "warn_deprecated"):
            continue
        given = {word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg in ("since", "until")}
        name = ast.literal_eval(node.args[0])
        since, until = minor_version(given["since"]), minor_version(given["until"])
        if minor_version(version) >= until:
            found.append(f"line {node.lineno}: {name} should be gone in {given['until']}, which this is")
        if until not in ((since[0], since[1] + 1), (since[0] + 1, 0)):
            found.append(f"line {node.lineno}: {name} must warn for one minor version")
    return found


EXAMPLE = """
def old_name(value):
    warn_deprecated("tipr_zoo.old_name", since="0.4", until="0.5", instead="tipr_zoo.new_name")
    return value
"""


@pytest.mark.parametrize("path", sorted((ROOT / "tipr_zoo").rglob("*.py")), ids=lambda path: path.name)
def test_nothing_outlives_its_deprecation(path: Path) -> None:
    assert mistakes(path.read_text(encoding="utf-8"), __version__) == []


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("0.4.9", []),
        ("0.5.0", ["line 3: tipr_zoo.old_name should be gone in 0.5, which this is"]),
        ("1.0.0", ["line 3: tipr_zoo.old_name should be gone in 0.5, which this is"]),
    ],
)
def test_what_should_be_gone_is_found(version: str, found: list[str]) -> None:
    assert mistakes(EXAMPLE, version) == found


def test_a_deprecation_that_gives_no_time_is_found() -> None:
    assert mistakes(EXAMPLE.replace('until="0.5"', 'until="0.6"'), "0.4.0") == [
        "line 3: tipr_zoo.old_name must warn for one minor version"
    ]


def test_the_warning_names_everything_and_points_at_the_user(tmp_path: Path) -> None:
    module = tmp_path / "user.py"
    module.write_text("def use(old_name):\n\n    return old_name(7)\n")
    names = {"warn_deprecated": warn_deprecated}
    exec(compile(EXAMPLE, "the zoo", "exec"), names)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert runpy.run_path(str(module))["use"](names["old_name"]) == 7
    (warning,) = caught
    assert warning.category is DeprecationWarning
    assert str(warning.message) == (
        "tipr_zoo.old_name is deprecated since tipr-zoo 0.4 and gone in 0.5; use tipr_zoo.new_name"
    )
    assert (warning.filename, warning.lineno) == (str(module), 3)
