"""Commands that error texts and other strings of the code advise can be typed: commands and options are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from as_typed.checkout import ROOT
from as_typed.command_parsing import parse
from first_party import PLUGINS

from tipr_zoo.command_line import COMMANDS

FOLDERS = ("tipr_zoo", *(f"plugins/{name}/tipr_zoo_{name}" for name in PLUGINS))


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """The strings of a file of Python with their lines; what is filled in stands there as 1."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def advised() -> dict[str, str]:
    """The commands in backquotes by where they stand."""
    found = {}
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            for line, text in texts(file):
                for command in re.findall(r"`(tipr-zoo [a-z][^`]*)`", text):
                    found[f"{file.relative_to(ROOT)}:{line}: {command}"] = " ".join(command.split())
    return found


ADVISED = advised()


@pytest.mark.parametrize("place", ADVISED)
def test_a_command_that_a_text_advises_can_be_typed(place: str) -> None:
    line = ADVISED[place]
    name = line.removeprefix("tipr-zoo ")
    if name.removesuffix(" ...") not in (*COMMANDS, "COMMAND --help", "1 --help"):  # a command's name alone
        parse(line)


def test_texts_advise_something() -> None:
    assert len(ADVISED) > 30
