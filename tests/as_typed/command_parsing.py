"""Command lines of the zoo, read by the parsers of their commands and not run."""

from __future__ import annotations

import shlex

from tipr_zoo.command_line import COMMANDS, command_module
from tipr_zoo.commands.argument_parser import ArgumentParser


def parse(line: str) -> None:
    """Parse a command line with the parser of its command, which raises if it cannot be typed like this."""
    words = shlex.split(line, comments=True)
    words = words[words.index("tipr_zoo" if "torchrun" in words else "tipr-zoo") + 1 :]
    words = words[: next((i for i, word in enumerate(words) if word in ("|", ">")), None)]
    if words[0].startswith("-"):
        return
    name = words[0] if words[0] in COMMANDS else " ".join(words[:2])
    assert name in COMMANDS, f"{line!r}: there is no command {name!r}"
    if "--help" not in words:
        parser_of(name).parse(words[len(name.split()) :])


def parser_of(command: str) -> ArgumentParser:
    """The parser of a command."""
    parser = ArgumentParser(prog=f"tipr-zoo {command}", description="")
    command_module(command).add_arguments(parser)
    return parser
