"""Every problem of a card, each with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from tipr_zoo.cards.card import ModelCard, examine_card
from tipr_zoo.cards.lines import FIRST_LINE, card_text, front_matter_node, line_of
from tipr_zoo.errors import CardError
from tipr_zoo.schemas.problems import FieldProblem, Problems


@dataclass(frozen=True)
class CardProblem:
    """A problem of a card that must be fixed.

    Attributes:
        path: The card's file.
        line: The line to look at, counted from 1.
        field: Dotted name of the mapping with the problem. Empty for the whole front matter or the text below it.
        message: What is wrong and what to write instead.
    """

    path: Path
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.field + ': ' if self.field else ''}{self.message}"


Inspect = Callable[[ModelCard, Problems], Iterable[FieldProblem]]
"""Finds problems of a card. It also gets the problems of reading, whose fields are empty or left out in the card."""


def card_problems(path: Path, inspect: Inspect) -> list[CardProblem]:
    """Read a card, and return the problems of reading it together with those that an inspection finds.

    Args:
        path: The Markdown file.
        inspect: Looks at the fields that were read without a problem.

    Returns:
        The problems in the order of their lines. Where the front matter cannot be read, it is the only problem.
    """
    text = card_text(path)
    root = front_matter_node(text)
    try:
        card, problems = examine_card(path)
    except CardError as error:
        return [_syntax_problem(error, path)]
    if problems and not isinstance(root, yaml.MappingNode):
        return [CardProblem(path, 1, "", "front matter is nested too deeply to be looked through; write it flatter")]
    found = [finding for finding in inspect(card, problems) if not _comes_of(finding, problems)]
    located = [
        CardProblem(path, line_of(root, problem.place, problem.key), problem.place, problem.message)
        for problem in [*problems, *found]
    ]
    return sorted(located, key=lambda problem: problem.line)


def _comes_of(finding: FieldProblem, problems: Problems) -> bool:
    """Tell whether a finding only comes from a field that is empty because of another problem."""
    return problems.are_within(finding.where) or (
        finding.where == "tipr_zoo.config"
        and problems.are_within("tipr_zoo.plugin")  # then it is not known whose recipe it is
    )


def _syntax_problem(error: CardError, path: Path) -> CardProblem:
    """Return the problem of front matter that is missing or not YAML, with the line of the mistake if it is known."""
    cause = error.__cause__
    if isinstance(cause, UnicodeDecodeError):
        line = cause.object.count(b"\n", 0, cause.start) + 1
        return CardProblem(path, line, "", f"byte {cause.object[cause.start]:#04x} is no UTF-8; save the card as UTF-8")
    mark = getattr(cause, "problem_mark", None)
    if mark is None:
        return CardProblem(path, 1, "", str(error).removeprefix(f"{path}: "))
    words = ", ".join(filter(None, (getattr(cause, "context", None), getattr(cause, "problem", None))))
    return CardProblem(path, mark.line + FIRST_LINE, "", f"front matter is not YAML: {words}")
