"""What a page of Markdown gives to type: the lines of its code blocks, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

TYPED = ("", "console", "sh", "bash")
"""Languages of blocks with commands. Everything in a block without a language is to be typed."""

SHOWN = ("text", "csv", "toml")
"""Languages of blocks that are only looked at."""


@dataclass(frozen=True)
class Step:
    """One thing to type.

    Attributes:
        place: The page's line where it begins.
        text: A command line, continued lines joined and without its comment, or a program of Python.
        is_python: Whether it is a program.
    """

    place: int
    text: str
    is_python: bool = False


def steps(page: Path) -> list[Step]:
    """Read what a page gives to type.

    Raises:
        ValueError: A block has a language that is neither typed nor shown.
    """
    found: list[Step] = []
    for token in MarkdownIt().parse(_without_front_matter(page.read_text(encoding="utf-8"))):
        if token.type != "fence":
            continue
        assert token.map is not None  # a fence has its lines
        language, first = token.info.strip(), token.map[0] + 2
        if language == "python":
            found.append(Step(first, token.content, is_python=True))
        elif language in TYPED:
            found += _command_lines(token.content, first, prompt="$ " if language == "console" else "")
        elif language not in SHOWN:
            raise ValueError(f"{page}:{first}: what is to be done with a block of {language!r}?")
    return found


def _command_lines(block: str, first: int, prompt: str) -> list[Step]:
    """The commands of a block; of one with prompts those alone, the rest being what was printed."""
    found, started = [], 0
    command = ""
    for number, line in enumerate(block.splitlines(), first):
        if not command:
            if not line.strip() or not line.startswith(prompt):
                continue
            started, line = number, line.removeprefix(prompt)
        command += line
        if command.endswith("\\"):
            command = command.removesuffix("\\")
            continue
        found.append(Step(started, _without_comment(command)))
        command = ""
    assert not command, f"line {started} is continued by nothing"
    return found


def _without_comment(line: str) -> str:
    """The command alone. Two blanks set off a comment."""
    return re.split(r"\s{2,}# ", line)[0].strip()


def _without_front_matter(text: str) -> str:
    """The text with empty lines in place of a card's front matter, so that lines keep their numbers."""
    if not text.startswith("---\n"):
        return text
    head, _, rest = text.removeprefix("---\n").partition("\n---\n")
    return "\n" * (head.count("\n") + 3) + rest
