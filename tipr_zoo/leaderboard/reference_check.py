"""Checking references: every problem of every file, each with its line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tipr_zoo.authoring.card_problems import CardProblem
from tipr_zoo.cards.lines import FIRST_LINE, line_of, yaml_node
from tipr_zoo.errors import CardError
from tipr_zoo.leaderboard.references import (
    FOLDER,
    examine_reference,
    reference_files,
    reference_text,
    repeated_name_problem,
    repeated_names,
)
from tipr_zoo.schemas.problems import FieldProblem

_ENDING = ".yaml"


def references_in(places: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the references in files and folders, and the places that may hold cards.

    Args:
        places: Files and folders. A file that ends in ``.yaml`` is a reference. So is each such file in a folder of the
            name ``references``, or in the folder of that name in a folder of cards.
    """
    files: list[Path] = []
    others: list[Path] = []
    for place in places:
        own = reference_files(place) if place.is_dir() and place.name == FOLDER else []
        if place.suffix == _ENDING and place.is_file():
            files.append(place)
        elif own:
            files += own
        else:
            others.append(place)
            files += reference_files(place / FOLDER) if place.is_dir() else []
    return files, others


def check_references(paths: Iterable[Path]) -> dict[Path, list[CardProblem]]:
    """Return the problems of references by file, in the order of their lines. A right one has none."""
    found: dict[Path, list[CardProblem]] = {}
    right = []
    for path in paths:
        try:
            reference, problems = examine_reference(path)
        except CardError as error:
            found[path] = [CardProblem(path, 1, "", str(error).removeprefix(f"{path}: "))]
            continue
        found[path] = _located(path, problems)
        right += [] if problems else [reference]
    for path, first in repeated_names(right).items():
        found[path] = _located(path, [FieldProblem("", "name", repeated_name_problem(first))])
    return found


def _located(path: Path, problems: Iterable[FieldProblem]) -> list[CardProblem]:
    """Return problems with their lines. A reference begins where the front matter of a card has its first ``---``."""
    problems = list(problems)
    root = yaml_node(reference_text(path)) if problems else None
    lines = [max(1, line_of(root, problem.place, problem.key) - FIRST_LINE + 1) for problem in problems]
    located = [
        CardProblem(path, line, problem.place, problem.message) for line, problem in zip(lines, problems, strict=True)
    ]
    return sorted(located, key=lambda problem: problem.line)
