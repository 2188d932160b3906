"""The house as the code has it: floors from pyproject.toml, rooms from the packages, arrows from the imports."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import grimp
import tomllib

PACKAGE = "tipr_zoo"
GROUND_FLOORS = 2  # the lowest floors of code: every room may stand on them
Arrow = tuple[str, str]  # (the room that imports, the room that is imported)


@dataclass(frozen=True)
class Room:
    """A package or a module at the top level."""

    name: str
    says: str  # its docstring up to the end of the first sentence, or to a semicolon
    modules: int
    is_package: bool
    is_promised: bool  # the contract has names in it, so a plugin may import it


@dataclass(frozen=True)
class House:
    """Rooms by floor, the highest floor first, and how many modules of one room import a module of another."""

    floors: list[list[Room]]
    arrows: dict[Arrow, int]

    @property
    def rooms(self) -> dict[str, Room]:
        """Every room by its name, from the highest floor down."""
        return {room.name: room for floor in self.floors for room in floor}

    @property
    def ground(self) -> set[str]:
        """Names of the rooms on the lowest floors."""
        return {room.name for floor in self.floors[-GROUND_FLOORS:] for room in floor}


def read_house(root: Path) -> House:
    """Read the house from a checkout.

    Args:
        root: the top folder of the checkout, whose package is the one that is installed.
    """
    contracts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    (forbidden,) = (contract["forbidden_modules"] for contract in contracts if contract["type"] == "forbidden")
    names = [[name for name in re.split(r"[|:\s]+", layer) if name] for layer in layers if not layer.startswith("(")]
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=False, cache_dir=None)
    arrows = _arrows(graph)
    modules = Counter(_room_of(module) for module in graph.modules)
    kept_private = {name.removeprefix(f"{PACKAGE}.") for name in forbidden} | {"__main__"}
    floors = [
        [_room(root, name, modules[name], name not in kept_private) for name in _importers_first(floor, arrows)]
        for floor in names
    ]
    known = {name for floor in names for name in floor}
    return House(floors, {arrow: count for arrow, count in arrows.items() if set(arrow) <= known})


def bearing_arrows(house: House) -> set[Arrow]:
    """The arrows that do not follow from others, those to the ground left out.

    Where A imports B and B imports C, that A also imports C is no news of the order of the rooms.
    """
    arrows = {arrow for arrow in house.arrows if not set(arrow) & house.ground}
    below: dict[str, set[str]] = {}
    for room, target in arrows:
        below.setdefault(room, set()).add(target)

    def reached(rooms: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = list(rooms)
        while waiting:
            room = waiting.pop()
            if room not in found:
                found.add(room)
                waiting.extend(below.get(room, ()))
        return found

    return {(room, target) for room, target in arrows if target not in reached(below[room] - {target})}


def _arrows(graph: grimp.ImportGraph) -> dict[Arrow, int]:
    counts: Counter[Arrow] = Counter()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            if _room_of(module) != _room_of(imported):
                counts[_room_of(module), _room_of(imported)] += 1
    return dict(sorted(counts.items()))


def _room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def _importers_first(names: list[str], arrows: dict[Arrow, int]) -> list[str]:
    """The rooms of a floor, each before those of the same floor that it imports."""
    ordered: list[str] = []
    waiting = list(names)
    while waiting:
        free = next(name for name in waiting if not any((other, name) in arrows for other in waiting))
        ordered.append(free)
        waiting.remove(free)
    return ordered


def _room(root: Path, name: str, modules: int, is_promised: bool) -> Room:
    folder = root / PACKAGE / name
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    sentence = re.split(r"(?<=\.)\s|;\s", text.split("\n\n")[0])[0]
    says = re.sub(r"`+", "", sentence.replace("\n", " ")).rstrip(".")
    return Room(name, says, modules, folder.is_dir(), is_promised)
