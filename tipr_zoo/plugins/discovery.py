"""Finding plugins: packages with components and cards. Setuptools entry points name them.

A plugin declares a module under the entry-point group ``tipr_zoo.plugins``. Importing that module registers its
components. Finding a plugin and its cards only reads files. Its code runs when one of its models is built.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import DuplicateNameError, PluginError
from tipr_zoo.plugins.plugin import Plugin
from tipr_zoo.plugins.requirements import core_problem
from tipr_zoo.terminal.suggested_command import quoted

ENTRY_POINT_GROUP = "tipr_zoo.plugins"

FIRST_PARTY = {
    "sen": "tipr-zoo-sen",
    "fmfa": "tipr-zoo-fmfa",
    "rde": "tipr-zoo-rde",
    "rasa": "tipr-zoo-rasa",
    "tbps_clip": "tipr-zoo-tbps-clip",
}
"""The plugins whose cards ship with the core, with their distributions."""

_OWNERS = {**FIRST_PARTY, "core": "tipr-zoo"}
"""The owners of the zoo's own names. ``core`` is the core's name in `tipr-zoo list --plugin core`."""


def declared_plugins() -> list[Plugin]:
    """Return every plugin that an installed distribution declares, by name. An unusable one carries its conflict.

    A name belongs to one distribution. The zoo's own names belong to the zoo's own distributions. Another name that two
    distributions claim belongs to neither.
    """
    claims: dict[str, list[Plugin]] = {}
    for plugin in _read_entry_points():
        same = claims.setdefault(plugin.name, [])
        # A distribution is found twice where its sources are on the path, too. The first one counts, as in an import.
        if not same or plugin.distribution not in [other.distribution for other in same]:
            same.append(plugin)
    return [plugin for name in sorted(claims) for plugin in _settled(name, claims[name])]


@cache
def installed_plugins() -> dict[str, Plugin]:
    """Return one installed plugin for each name. Where two distributions claim a name, it carries the conflict."""
    plugins: dict[str, Plugin] = {}
    for plugin in declared_plugins():
        if plugin.conflict is None:
            plugins[plugin.name] = plugin
        elif plugin.name not in _OWNERS:
            plugins.setdefault(plugin.name, plugin)
    return plugins


def find_plugin(name: str) -> Plugin:
    """Return the installed plugin `name`. It must fit this core.

    Raises:
        PluginError: It is a first-party plugin that is not installed, or it needs another core. The message has the
            command that fixes it.
        DuplicateNameError: Two distributions bring a plugin of this name.
        UnknownNameError: No such plugin is known.
    """
    plugins = installed_plugins()
    if name in plugins:
        if (conflict := plugins[name].conflict) is not None:
            raise DuplicateNameError(conflict)
        if (problem := core_problem(plugins[name])) is not None:
            raise PluginError(f"{plugins[name].place} does not fit this tipr-zoo: {problem}")
        return plugins[name]
    if name in FIRST_PARTY:
        raise PluginError(missing_plugin_note(name))
    raise unknown_name("plugin", name, [*plugins, *FIRST_PARTY], "see `tipr-zoo plugins`")


def missing_plugin_note(name: str) -> str:
    """Return the message for a plugin that a card names and that is not installed."""
    if name in FIRST_PARTY:
        return f"plugin {name!r} is not installed; install it with: pip install {quoted(FIRST_PARTY[name])}"
    return f"plugin {name!r} is not installed; install the distribution that brings it"


def idle_plugins_note() -> str:
    """Tell how a recipe can use components of installed plugins that are not imported. Empty where there are none."""
    idle = [name for name, plugin in installed_plugins().items() if plugin.module not in sys.modules]
    return f"for a part of a plugin the recipe must name it: plugins={idle}" if idle else ""


def _read_entry_points() -> Iterator[Plugin]:
    """Yield the plugins that the distributions on the path declare, in the order of the path."""
    for distribution in importlib.metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt")
        except (OSError, UnicodeDecodeError):
            continue  # nothing says that it is a plugin
        # Most distributions have no plugin. This test is faster than parsing. It also skips broken distributions.
        if text is None or ENTRY_POINT_GROUP not in text:
            continue
        try:
            entry_points = [entry for entry in distribution.entry_points if entry.group == ENTRY_POINT_GROUP]
        except Exception as error:  # its type depends on the Python version
            plugin = Plugin(name="unknown", module="", metadata=distribution)
            conflict = f"the entry points of {plugin.distribution} cannot be read: {error}; {plugin.removal}"
            yield replace(plugin, name=plugin.distribution, conflict=conflict)
            continue
        for entry in entry_points:
            yield Plugin(name=entry.name, module=entry.value.partition(":")[0].strip(), metadata=distribution)


def _settled(name: str, claims: list[Plugin]) -> list[Plugin]:
    """Return the plugins of one name. Those that cannot have the name carry their conflict."""
    if not re.fullmatch(r"[\w.-]+", name):
        reason = f"a plugin's name is made of letters, digits, - _ and ., got {name!r}; rename its entry point"
        return [
            replace(plugin, conflict=f"{reason}, or: pip uninstall {quoted(plugin.distribution)}") for plugin in claims
        ]
    if (owner := _OWNERS.get(name)) is not None:
        return [plugin if _is_of(plugin, owner) else _refused(plugin, owner) for plugin in claims]
    if len(claims) == 1:
        return claims
    claimants = " and ".join(f"{plugin.distribution} ({plugin.module})" for plugin in claims)
    conflict = f"plugin {name!r} is brought by {len(claims)} distributions, {claimants}; uninstall all but one of them"
    return [replace(plugin, conflict=conflict) for plugin in claims]


def _is_of(plugin: Plugin, distribution: str) -> bool:
    """Tell whether `distribution` brings the plugin. Names are compared as pip does it."""
    return re.sub(r"[-_.]+", "-", plugin.distribution).lower() == distribution


def _refused(plugin: Plugin, owner: str) -> Plugin:
    """Return the plugin with its conflict: its name belongs to the distribution `owner`."""
    reason = f"the plugin name {plugin.name!r} belongs to {owner}, and {plugin.distribution} claims it"
    return replace(
        plugin, conflict=f"{reason}; rename its entry point, or: pip uninstall {quoted(plugin.distribution)}"
    )
