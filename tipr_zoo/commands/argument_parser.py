"""An argparse parser whose mistakes are errors of the zoo, with close matches."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError

_NEGATIVE_NUMBER = re.compile(r"-\.?\d")


class ArgumentParser(argparse.ArgumentParser):
    """A parser that raises and does not exit, takes no abbreviated options, and offers close matches.

    Args:
        prog: The command.
        description: What the command does.
        example: Command lines under the help, if any.
        add_help: Whether ``--help`` prints the help and ends the program.
    """

    def __init__(self, prog: str, description: str, example: str = "", add_help: bool = True) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=_examples(example) if example else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=add_help,
            allow_abbrev=False,
        )

    def add_argument(self, *names: Any, **declared: Any) -> argparse.Action:
        """Declare an argument as argparse does. An option of several values that is given twice keeps them all."""
        if names[:1] and str(names[0]).startswith("-") and declared.get("nargs") == "+":
            declared.setdefault("action", _AllValues)
        return super().add_argument(*names, **declared)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words of a command line, all of them.

        Raises:
            UnknownNameError: An option or choice does not exist. The message has close matches.
            ConfigError: Anything else is wrong.
        """
        self._check_options(words)
        # Where a positional takes any number of words, options may stand between them.
        is_mixed = any(not action.option_strings and action.nargs in ("*", "+") for action in self._actions)
        parsed, left_over = (self.parse_known_intermixed_args if is_mixed else self.parse_known_args)(words)
        if left_over:
            raise ConfigError(f"{left_over[0]!r} is one word too many; see `{self.prog} --help`")
        return parsed

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError for a mistake. argparse calls this."""
        raise ConfigError(f"{message}; see `{self.prog} --help`")

    def _check_options(self, words: Sequence[str]) -> None:
        """Raise for an unknown option. argparse would report a missing value first and the option last or never."""
        for word in words[: words.index("--")] if "--" in words else words:
            option = word.partition("=")[0]
            if not word.startswith("-") or word == "-" or " " in word or _NEGATIVE_NUMBER.match(word):
                continue
            if option not in self._option_string_actions:
                known = [name for name in self._option_string_actions if name.startswith("--")]
                raise unknown_name("option", option, known, f"see `{self.prog} --help`")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Compare a value with its ``choices``. argparse calls this."""
        if action.choices is not None and value not in action.choices:
            name = action.option_strings[-1] if action.option_strings else str(action.metavar or action.dest)
            raise unknown_name(f"value of {name}", str(value), map(str, action.choices))


class _AllValues(argparse.Action):
    """Adds the values of an option to those that it had before on the same line, but not to its default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Keep the values. argparse calls this."""
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*([] if before is self.default else before), *(values or [])])


def _examples(example: str) -> str:
    lines = [line.strip() for line in example.strip().splitlines()]
    return "example:\n" + "\n".join(f"  {line}" for line in lines)
