"""``tipr-zoo plugins``: what is installed, whether it works, and what it brings."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import Any

from tipr_zoo.card_index import card_index
from tipr_zoo.plugin_check import PluginCheck, check_plugins
from tipr_zoo.plugins import FIRST_PARTY, installed_plugins, missing_plugin_note
from tipr_zoo.tables import render_table, terminal_width, to_json

NAME = "plugins"
HELP = "show the plugins, whether each can be imported, and what it brings"
EXAMPLE = """
tipr-zoo plugins
tipr-zoo plugins --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="give an import up after this long (default: 60)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the table, why what does not work does not, and what is wrong with cards."""
    rows = plugin_rows(arguments.timeout)
    index = card_index()
    problems = [str(problem) for problem in [*index.problems.values(), *index.notes]]
    if arguments.json:
        print(to_json({"plugins": rows, "card_problems": problems}))
        return
    columns = ["plugin", "distribution", "version", "module", "status", "cards", "components"]
    cells = [[*(row[column] for column in columns[:-1]), _names(row["components"])] for row in rows]
    print(render_table(columns, cells, width=terminal_width()))
    for line in [*(row["reason"] for row in rows if row["reason"]), *(f"card problem: {text}" for text in problems)]:
        print(f"\n{line}")


def plugin_rows(timeout: float) -> list[dict[str, Any]]:
    """One row an installed plugin, in the order of their names, then the zoo's own that are not installed.

    Args:
        timeout: Seconds after which the import of a plugin is given up.
    """
    plugins = installed_plugins()
    cards = Counter(card.plugin for card in card_index().cards.values())
    usable = [name for name, plugin in plugins.items() if plugin.conflict is None]
    if usable:
        print(f"importing {', '.join(usable)} ...", file=sys.stderr)
    checks = check_plugins(usable, timeout)
    rows: list[dict[str, Any]] = []
    for name, plugin in plugins.items():
        check = checks.get(name) or PluginCheck(False, plugin.conflict or "")
        rows.append(
            {
                "plugin": name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "module": plugin.module,
                "status": "works" if check.works else "broken",
                "reason": check.reason,
                "cards": cards[name],
                "components": check.components,
            }
        )
    for name, distribution in FIRST_PARTY.items():
        if name not in plugins:
            rows.append(
                {
                    "plugin": name,
                    "distribution": distribution,
                    "version": None,
                    "module": None,
                    "status": "not installed",
                    "reason": missing_plugin_note(name),
                    "cards": cards[name],
                    "components": {},
                }
            )
    return rows


def _names(components: dict[str, list[str]]) -> str:
    return ", ".join(name for names in components.values() for name in names)
