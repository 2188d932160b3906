"""``tipr-zoo plugins``: what is installed, whether it works, and what it brings."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Collection
from typing import Any

from tipr_zoo.authoring.plugin_check import PluginCheck, check_plugins
from tipr_zoo.cards.index import card_index
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.display.tables import render_table, terminal_width, to_json
from tipr_zoo.errors import ConfigError
from tipr_zoo.plugins.contract import PLUGIN_CONTRACT, stated_contract
from tipr_zoo.plugins.discovery import FIRST_PARTY, declared_plugins, missing_plugin_note
from tipr_zoo.plugins.plugin import Plugin

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
    """Print the table, why what does not work does not, and what is wrong with cards.

    Returns:
        1 where a plugin is broken or a card unusable, else 0; the zoo's own plugins may be missing.
    """
    if not arguments.timeout > 0:
        raise ConfigError(f"--timeout must be above 0 seconds, got {arguments.timeout:g}")
    rows = plugin_rows(arguments.timeout, arguments.names)
    problems = _card_problems(arguments.names)
    if arguments.json:
        print(to_json({"contract": PLUGIN_CONTRACT, "plugins": rows, "card_problems": problems}))
    else:
        columns = ["plugin", "distribution", "version", "contract", "status", "cards", "components"]
        cells = [[*(row[column] for column in columns[:-1]), _names(row["components"])] for row in rows]
        print(render_table(columns, cells, width=terminal_width()))
        reasons = [row["reason"] for row in rows if row["reason"]]
        for line in [*reasons, *(f"card problem: {text}" for text in problems)]:
            print(f"\n{line}")
    return int(bool(problems) or any(row["status"] == "broken" for row in rows))


def plugin_rows(timeout: float, names: Collection[str] = ()) -> list[dict[str, Any]]:
    """One row an installed plugin, in the order of their names, then the zoo's own that are not installed.

    Args:
        timeout: Seconds after which the import of a plugin is given up.
        names: The plugins to look at; empty for all.

    Raises:
        UnknownNameError: There is no plugin of such a name.
    """
    plugins = declared_plugins()
    known = {*FIRST_PARTY, *(plugin.name for plugin in plugins)}
    for name in names:
        if name not in known:
            raise unknown_name("plugin", name, known)
    plugins = [plugin for plugin in plugins if not names or plugin.name in names]
    cards = Counter(card.plugin for card in card_index().cards.values())
    usable = [plugin.name for plugin in plugins if plugin.conflict is None]
    if usable:
        print(f"importing {', '.join(usable)} ...", file=sys.stderr)
    checks = check_plugins(usable, timeout)
    missing = [name for name in FIRST_PARTY if name not in usable and (not names or name in names)]
    return [
        *(_installed_row(plugin, checks.get(plugin.name), cards[plugin.name]) for plugin in plugins),
        *(_missing_row(name, cards[name]) for name in missing),
    ]


def _installed_row(plugin: Plugin, check: PluginCheck | None, cards: int) -> dict[str, Any]:
    """The row of an installed plugin; `check` is None where it was not imported because of its conflict."""
    check = check if plugin.conflict is None and check else PluginCheck(False, plugin.conflict or "")
    return {
        "plugin": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "module": plugin.module,
        "contract": stated_contract(plugin.package),
        "status": "works" if check.works else "broken",
        "reason": check.reason,
        "cards": cards,
        "components": check.components,
    }


def _missing_row(name: str, cards: int) -> dict[str, Any]:
    """The row of one of the zoo's own plugins that is not installed."""
    return {
        "plugin": name,
        "distribution": FIRST_PARTY[name],
        "version": None,
        "module": None,
        "contract": None,
        "status": "not installed",
        "reason": missing_plugin_note(name),
        "cards": cards,
        "components": {},
    }


def _card_problems(names: Collection[str]) -> list[str]:
    """What is wrong with cards: with those of the plugins `names`, or with any."""
    faults = card_index().faults.items()
    return [str(fault) for owner, several in faults if not names or owner in names for fault in several]


def _names(components: dict[str, list[str]]) -> str:
    return ", ".join(name for names in components.values() for name in names)
