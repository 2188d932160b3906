"""The command line: finds the command, parses its options, and turns errors into one line and an exit code.

A command is a module of `tipr_zoo.commands` with

- ``NAME``: how it is called, e.g. ``"data synth"``;
- ``HELP``: what it does, in one line;
- ``EXAMPLE``: command lines that show it;
- ``add_arguments(parser)``: declares its options;
- ``run(arguments)``: does it, and returns the exit code, or None for 0; ``arguments.typed`` has the words as typed.

Only the module of the called command is imported, so these modules cost nothing to the others.

Exit codes:

- 0: done;
- 1: done, and what was looked at has problems (`doctor`, `plugins`, `data check`, `cards check`, `gallery check`,
  `eval --matrix`, `train --dry-run`) or was not reproduced (`reproduce`); or a bug, with its traceback;
- 2: a mistake in what was asked, or a machine that has run out of something, told in one line;
- 130: interrupted with Ctrl-C;
- 143 or 129: ended by SIGTERM, or with its terminal;
- 141: the reader of a pipe went away.
"""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from types import ModuleType

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.commands.argument_parser import ArgumentParser
from tipr_zoo.errors import ConfigError, TiprZooError, error_line
from tipr_zoo.machine.signals import ENDING, kept_interruption, raised_signals
from tipr_zoo.terminal.streams import abandon, make_streams_safe, safe_streams
from tipr_zoo.version import __version__

COMMANDS = {
    "list": "list_models",
    "info": "info",
    "plugins": "plugins",
    "new-plugin": "new_plugin",
    "data synth": "data_synth",
    "data check": "data_check",
    "train": "train",
    "eval": "evaluate",
    "compare": "compare",
    "reproduce": "reproduce",
    "search": "search",
    "gallery create": "gallery_create",
    "gallery add": "gallery_add",
    "gallery refresh": "gallery_refresh",
    "gallery remove": "gallery_remove",
    "gallery status": "gallery_status",
    "gallery check": "gallery_check",
    "gallery copy": "gallery_copy",
    "explain": "explain",
    "restore": "restore",
    "convert": "convert",
    "average": "average",
    "leaderboard": "leaderboard",
    "cards check": "cards_check",
    "cards new": "cards_new",
    "push": "push",
    "doctor": "doctor",
}
"""Module under `tipr_zoo.commands` by command, in the order of the help."""

DESCRIPTION = "A model zoo for text-to-image person retrieval: find a person's picture from a sentence."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after ``tipr-zoo``; those of the process by default.

    Returns:
        The exit code; the module's description lists them.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if argv is None:  # the process ends with the command; the traceback of a bug is printed after it
        make_streams_safe()
    with safe_streams():
        try:
            with raised_signals() if argv is None else nullcontext(), kept_interruption():
                return _exit_code(words, is_debug="--debug" in words)
        except KeyboardInterrupt as interruption:
            if argv is None:  # the process ends now, and a second signal has nothing left to interrupt
                for number in (signal.SIGINT, *ENDING):
                    signal.signal(number, signal.SIG_IGN)
            with suppress(OSError):  # the terminal may be closed
                print(str(interruption) or "interrupted", file=sys.stderr)
            return getattr(interruption, "exit_code", 130)


def _exit_code(words: list[str], is_debug: bool) -> int:
    """Run one command and turn its error into one line."""
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except (TiprZooError, OSError, MemoryError, RuntimeError, ImportError) as error:
        if isinstance(error, BrokenPipeError):
            abandon(sys.stdout)
            return 141
        from tipr_zoo.machine.shortage import shortage  # not at the top: only errors need it

        short = None if isinstance(error, TiprZooError) else shortage(error)
        if short is None and not isinstance(error, TiprZooError | OSError):
            raise  # a bug
        told = short or error_line(error)
        if not _is_flushed():
            abandon(sys.stdout)
            if isinstance(error, OSError) and error.filename is None:
                told = f"the output cannot be written: {error.strerror or error}; make room, or lead it elsewhere"
        if is_debug:
            show_traceback(error)
        print(f"error: {told}", file=sys.stderr)
        return 2


def _is_flushed() -> bool:
    """Write what was printed so far; tell whether that can be done."""
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


def show_traceback(error: BaseException) -> None:
    """Show where an error came from, on stderr."""
    import traceback  # not at the top: only --debug needs it

    traceback.print_exception(type(error), error, error.__traceback__)


def command_module(name: str) -> ModuleType:
    """Import the module of the command `name`."""
    return importlib.import_module(f"tipr_zoo.commands.{COMMANDS[name]}")


def _run(words: list[str]) -> int:
    """Find the command in `words`, parse what follows it, and run it."""
    top = _top_parser()
    count = next((i for i, word in enumerate(words) if not word.startswith("-")), len(words))
    options = top.parse(words[:count])
    if options.help:
        print(top.format_help() + _command_list(""), end="")
        return 0
    if options.version:
        print(f"tipr-zoo {__version__}")
        return 0
    if count == len(words):
        raise ConfigError("a command is missing; see `tipr-zoo --help`")
    name, rest = _split_command(words[count:])
    if name not in COMMANDS:
        return _explain_group(name, rest)
    module = command_module(name)
    parser = ArgumentParser(prog=f"tipr-zoo {name}", description=module.HELP, example=module.EXAMPLE)
    module.add_arguments(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments = parser.parse(rest)
    arguments.typed = ["tipr-zoo", *words]
    code: int | None = module.run(arguments)
    return code or 0


def _top_parser() -> ArgumentParser:
    """Make the parser of what stands before the command."""
    parser = ArgumentParser(prog="tipr-zoo", description=DESCRIPTION, add_help=False)
    parser.usage = "tipr-zoo [--version] [--debug] COMMAND ..."
    parser.add_argument("-h", "--help", action="store_true", help="show this help; also of every command")
    parser.add_argument("--version", action="store_true", help="show the version")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _split_command(words: list[str]) -> tuple[str, list[str]]:
    """Split off the command's name, which has one or two words, from what follows it; a group's name stands alone."""
    first, rest = words[0], words[1:]
    members = [name for name in COMMANDS if name.startswith(first + " ")]
    if first in COMMANDS:
        return first, rest
    if not members:
        raise unknown_name("command", first, {*COMMANDS, *(name.partition(" ")[0] for name in COMMANDS)})
    if not rest or rest[0].startswith("-"):
        return first, rest
    if (name := f"{first} {rest[0]}") not in members:
        raise unknown_name("command", name, members)
    return name, rest[1:]


def _explain_group(name: str, rest: list[str]) -> int:
    """Show the commands of a group such as ``data``."""
    if not {"-h", "--help"} & set(rest):
        members = ", ".join(f"`tipr-zoo {member}`" for member in COMMANDS if member.startswith(name + " "))
        raise ConfigError(f"'{name}' is a group of commands: {members}")
    print(f"usage: tipr-zoo {name} COMMAND ...\n{_command_list(name + ' ')}", end="")
    return 0


def _command_list(prefix: str) -> str:
    """Return one line for every command whose name begins with `prefix`."""
    names = [name for name in COMMANDS if name.startswith(prefix)]
    width = max(map(len, names))
    lines = [f"  {name:{width}}  {command_module(name).HELP}" for name in names]
    return "\ncommands:\n" + "\n".join(lines) + "\n\nEach has its own help: tipr-zoo COMMAND --help\n"
