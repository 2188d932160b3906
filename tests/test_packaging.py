"""What an installed distribution holds."""

from __future__ import annotations

from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib", reason="in the standard library since Python 3.11")

ROOT = Path(__file__).parents[1]


def setuptools_options() -> dict[str, object]:
    """The ``[tool.setuptools]`` table of pyproject.toml."""
    options: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    return options


def test_every_package_is_in_the_list() -> None:
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "tipr_zoo").rglob("__init__.py")}
    assert set(setuptools_options()["packages"]) == found | {"tipr_zoo.model_cards"}  # type: ignore[call-overload]


def test_every_module_lies_in_a_package_or_is_a_recipe() -> None:
    for path in (ROOT / "tipr_zoo").rglob("*.py"):
        assert (path.parent / "__init__.py").exists() or (ROOT / "tipr_zoo" / "configs") in path.parents, path


def test_every_other_file_is_package_data() -> None:
    patterns = setuptools_options()["package-data"]
    packaged = {
        path
        for package, globs in patterns.items()  # type: ignore[attr-defined]
        for glob in globs
        for path in (ROOT / package.replace("tipr_zoo.model_cards", "model_cards")).glob(glob)
    }
    files = {
        path
        for folder in ("tipr_zoo", "model_cards")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and (path.suffix != ".py" or "configs" in path.parts)
    }
    assert files == packaged
