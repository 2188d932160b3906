"""``tipr-zoo plugins``: the installed plugins, whether they work, and what they bring."""

from __future__ import annotations

import argparse
from collections.abc import Collection

from tipr_zoo.cards.index import card_index
from tipr_zoo.commands.plugin_rows import plugin_rows
from tipr_zoo.display.tables import render_table, terminal_width, to_json
from tipr_zoo.errors import ConfigError
from tipr_zoo.plugins.contract import PLUGIN_CONTRACT
from tipr_zoo.terminal.streams import write_document

NAME = "plugins"
HELP = "show the plugins, whether each can be imported, and what it brings (exit code 1 if any is broken)"
EXAMPLE = """
tipr-zoo plugins
tipr-zoo plugins sen fmfa --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these plugins (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="give an import up after this long (default: 60)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the table, the reasons why plugins do not work, and the problems of cards.

    Returns:
        1 where a plugin is broken or a card unusable, else 0. It is no fault where one of the zoo's own plugins is
        missing.

    Raises:
        ConfigError: The time limit is not above 0 seconds.
    """
    if not arguments.timeout > 0:
        raise ConfigError(f"--timeout must be above 0 seconds, got {arguments.timeout:g}")
    rows = plugin_rows(arguments.timeout, arguments.names)
    problems = _card_problems(arguments.names)
    if arguments.json:
        write_document(to_json({"contract": PLUGIN_CONTRACT, "plugins": rows, "card_problems": problems}))
    else:
        columns = ["plugin", "distribution", "version", "contract", "status", "cards", "components"]
        cells = [[*(row[column] for column in columns[:-1]), _names(row["components"])] for row in rows]
        print(render_table(columns, cells, width=terminal_width()))
        reasons = [row["reason"] for row in rows if row["reason"]]
        for line in [*reasons, *(f"card problem: {text}" for text in problems)]:
            print(f"\n{line}")
    return int(bool(problems) or any(row["status"] == "broken" for row in rows))


def _card_problems(names: Collection[str]) -> list[str]:
    """Return the problems of the cards of the plugins `names`, or of all cards where it is empty."""
    faults = card_index().faults.items()
    return [str(fault) for owner, several in faults if not names or owner in names for fault in several]


def _names(components: dict[str, list[str]]) -> str:
    return ", ".join(name for names in components.values() for name in names)
