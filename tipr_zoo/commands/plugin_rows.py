"""Rows about plugins for `tipr-zoo plugins` and `tipr-zoo doctor`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection
from typing import Any

from tipr_zoo.authoring.plugin_check import PluginCheck, check_plugins
from tipr_zoo.cards.index import card_index
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.plugins.contract import stated_contract
from tipr_zoo.plugins.discovery import FIRST_PARTY, declared_plugins, missing_plugin_note
from tipr_zoo.plugins.plugin import Plugin


def plugin_rows(timeout: float, names: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return a row for each installed plugin by name, then for each of the zoo's own plugins that is not installed.

    Args:
        timeout: Seconds that the import of a plugin may take.
        names: The plugins to look at. Empty for all.

    Raises:
        UnknownNameError: There is no plugin with one of these names.
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
    """Return the row of an installed plugin. `check` is None where a conflict kept it from being imported."""
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
    """Return the row of one of the zoo's own plugins that is not installed."""
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
