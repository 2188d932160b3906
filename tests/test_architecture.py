"""The page for maintainers: its drawings show the imports as they are, and what its walks name is there."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

pytest.importorskip("tomllib", reason="in the standard library since Python 3.11")
pytest.importorskip("grimp", reason="import-linter brings it")

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"


@pytest.fixture(scope="module")
def tools() -> dict[str, ModuleType]:
    """The modules of the script by name; it lies outside every package that is installed."""
    from importlib import import_module

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        return {name: import_module(f"tools.draw_rooms.{name}") for name in ("house", "layout", "__main__")}


def test_the_drawings_show_the_imports_as_they_are(tools: dict[str, ModuleType]) -> None:
    assert not tools["__main__"].old_drawings(ROOT), "the rooms or their imports have changed: run `make rooms`"


def test_an_old_drawing_is_told(tools: dict[str, ModuleType], tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("pyproject.toml", "tipr_zoo", "docs/rooms.svg"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs" / "imports.svg").write_text("<svg/>")
    assert tools["__main__"].old_drawings(tmp_path) == ["docs/imports.svg"]


def test_every_room_is_drawn_once_in_each_drawing(tools: dict[str, ModuleType]) -> None:
    house = tools["house"].read_house(ROOT)
    for place in ("rooms.svg", "imports.svg"):
        texts = [
            node.text for node in ElementTree.parse(ROOT / "docs" / place).iter("{http://www.w3.org/2000/svg}text")
        ]
        for room in house.rooms.values():
            name = room.name if room.is_package else f"{room.name}.py"
            assert texts.count(name) == (1 if place == "rooms.svg" else 2), (place, name)  # a row and a column


def test_arrows_that_follow_from_others_and_those_to_the_ground_are_left_out(tools: dict[str, ModuleType]) -> None:
    room = tools["house"].Room
    floors = [[room(name, "", 1, True, False)] for name in ("attic", "middle", "cellar", "stones", "earth")]
    arrows = {("attic", "middle"): 1, ("middle", "cellar"): 2, ("attic", "cellar"): 3, ("cellar", "earth"): 1}
    house = tools["house"].House(floors, arrows)
    assert tools["house"].bearing_arrows(house) == {("attic", "middle"), ("middle", "cellar")}


def test_boxes_of_a_floor_keep_apart_and_inside(tools: dict[str, ModuleType]) -> None:
    widths = {"a": 100.0, "b": 80.0, "c": 60.0, "d": 90.0, "e": 50.0}
    arrows = {("a", "c"), ("a", "d"), ("b", "c"), ("a", "e"), ("b", "e")}
    layout = tools["layout"].lay_out([["a", "b"], ["c", "d"], ["e"]], widths, arrows, width=300, gap=10)
    for floor in layout.floors:
        edges = [(layout.middles[n] - layout.widths[n] / 2, layout.middles[n] + layout.widths[n] / 2) for n in floor]
        assert edges[0][0] >= 0, floor
        assert edges[-1][1] <= 300, floor
        for (_, right), (left, _) in pairwise(edges):
            assert left - right >= 9.8, floor


def test_the_order_of_boxes_lets_no_arrows_cross_where_none_need(tools: dict[str, ModuleType]) -> None:
    floors = [["a", "b", "c"], ["x", "y", "z"]]
    arrows = {("a", "z"), ("b", "y"), ("c", "x")}
    layout = tools["layout"].lay_out(floors, dict.fromkeys("abcxyz", 20.0), arrows, width=200, gap=10)
    upper, lower = layout.floors
    assert [dict(arrows)[name] for name in upper] == lower


def walk_steps() -> list[tuple[str, list[str]]]:
    """The files that steps of the walks name, with the functions, classes and methods that follow."""
    steps = re.findall(r"`(tipr_zoo/[\w/]+\.py)`((?:,? (?:and )?`[\w.]+`)*)", PAGE.read_text(encoding="utf-8"))
    return [(file, re.findall(r"`([\w.]+)`", names)) for file, names in steps]


def test_the_walks_name_files_and_what_they_define() -> None:
    assert len(walk_steps()) >= 15
    for file, names in walk_steps():
        assert (ROOT / file).is_file(), f"{file}: there is no such file"
        defined = defined_names(ROOT / file)
        for name in names:
            assert name in defined, f"{file} has no {name}"


@pytest.mark.parametrize("walk", re.findall(r"^## (From .+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
def test_every_name_of_a_walk_is_defined_in_a_file_that_it_goes_through(walk: str) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(f"## {walk}\n")[2].partition("\n## ")[0]
    defined = set().union(
        *map(defined_names, (ROOT / file for file in set(re.findall(r"`(tipr_zoo/\S+\.py)`", section))))
    )
    names = {name for name in re.findall(r"`([A-Za-z_][\w.]*)`", section) if not name.endswith(".py")}
    assert len(names) >= 10
    assert names <= defined, names - defined


def defined_names(file: Path) -> set[str]:
    """Functions, classes, methods as ``Class.method``, and constants of a module."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{child.name}" for child in node.body if isinstance(child, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found
