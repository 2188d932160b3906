"""Plugins: packages that bring components and cards, found through setuptools entry points.

A plugin declares, under the entry-point group ``tipr_zoo.plugins``, a module whose import registers its
components. Finding a plugin and its cards reads files only; its code runs when one of its models is built.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.metadata import Distribution
from pathlib import Path
from types import ModuleType

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import DuplicateNameError, PluginError, error_line

ENTRY_POINT_GROUP = "tipr_zoo.plugins"

FIRST_PARTY = {"sen": "tipr-zoo-sen", "fmfa": "tipr-zoo-fmfa"}
"""Plugins whose cards ship with the core, and the distribution that brings each."""

_OWNERS = {**FIRST_PARTY, "core": "tipr-zoo"}
"""Whose the names are that belong to the zoo; ``core`` is what `tipr-zoo list --plugin` calls the core."""


@dataclass(frozen=True)
class Plugin:
    """An installed plugin, as its distribution declares it; nothing of it has been imported.

    Attributes:
        name: The entry point's name, which a card's ``plugin:`` refers to.
        module: Dotted name of the module whose import registers the components; empty where none can be read.
        metadata: The distribution that brings it.
        conflict: Why it cannot be used although it is there, e.g. because another distribution claims its name.
    """

    name: str
    module: str
    metadata: Distribution = field(repr=False, compare=False)
    conflict: str | None = None

    # Read when asked for: parsing the metadata of 200 plugins would take longer than all else that listing does.
    @cached_property
    def distribution(self) -> str:
        """Name of the distribution."""
        return self._said("Name")

    @cached_property
    def version(self) -> str:
        """Version of the distribution."""
        return self._said("Version")

    @property
    def requirements(self) -> list[str]:
        """What the distribution requires, as ``Requires-Dist`` says it."""
        return [] if self.distribution == "unknown" else self.metadata.requires or []

    @property
    def package(self) -> str:
        """Top-level package of `module`."""
        return self.module.partition(".")[0]

    @property
    def place(self) -> str:
        """The plugin and where it comes from, as messages name it."""
        return f"plugin {self.name!r} ({self.distribution} {self.version})"

    @property
    def removal(self) -> str:
        """What to do about it where it does not work and only its author can mend it."""
        return f"mend it, or: pip uninstall {self.distribution}"

    def folder(self, name: str) -> Path | None:
        """The sub-folder `name` of the plugin's top-level package, or None where it has none.

        Only the top-level name is looked up: ``find_spec`` of a dotted name would import its parents.
        """
        try:
            spec = importlib.util.find_spec(self.package)
        except (ImportError, ValueError):  # the entry point names no module, e.g. ":components"
            return None
        for location in (spec.submodule_search_locations or []) if spec else []:
            if (folder := Path(location) / name).is_dir():
                return folder
        return None

    def _said(self, key: str) -> str:
        """One field of the metadata; ``"unknown"`` where the distribution has lost its metadata."""
        try:
            return self.metadata.metadata[key] or "unknown"
        except Exception:  # which depends on the Python version
            return "unknown"


def declared_plugins() -> list[Plugin]:
    """Every plugin that an installed distribution declares, by name; those that cannot be used carry their conflict.

    A name belongs to one distribution: the zoo's own names to the zoo's own distributions, another that two claim to
    neither.
    """
    claims: dict[str, list[Plugin]] = {}
    for plugin in _read_entry_points():
        same = claims.setdefault(plugin.name, [])
        # A distribution is found twice where its sources are on the path besides: the first goes, as in an import.
        if not same or plugin.distribution not in [other.distribution for other in same]:
            same.append(plugin)
    return [plugin for name in sorted(claims) for plugin in _settled(name, claims[name])]


@cache
def installed_plugins() -> dict[str, Plugin]:
    """One installed plugin a name; where two distributions claim a name that is neither's, it carries the conflict."""
    plugins: dict[str, Plugin] = {}
    for plugin in declared_plugins():
        if plugin.conflict is None:
            plugins[plugin.name] = plugin
        elif plugin.name not in _OWNERS:
            plugins.setdefault(plugin.name, plugin)
    return plugins


def find_plugin(name: str) -> Plugin:
    """The installed plugin `name`, which fits this core.

    Raises:
        PluginError: A first-party plugin that is not installed, or one that needs another core; the message has the
            command that mends it.
        DuplicateNameError: Two distributions bring a plugin of this name.
        UnknownNameError: No such plugin is known.
    """
    from tipr_zoo.plugin_requirements import core_problem

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
    """What to tell of a plugin that a card names and that is not installed."""
    if name in FIRST_PARTY:
        return f"plugin {name!r} is not installed; install it with: pip install {FIRST_PARTY[name]}"
    return f"plugin {name!r} is not installed; install the distribution that brings it"


def idle_plugins_note() -> str:
    """How a recipe gets at the components of the installed plugins that nothing has imported; empty without any."""
    idle = [name for name, plugin in installed_plugins().items() if plugin.module not in sys.modules]
    return f"for a part of a plugin the recipe must name it: plugins={idle}" if idle else ""


def import_plugin(name: str) -> ModuleType:
    """Import the plugin `name`, which registers its components; what a failed import registered is undone.

    Raises:
        PluginError: The plugin is not installed, needs another core, or raised while it was imported.
        DuplicateNameError: Two distributions bring a plugin of this name.
        UnknownNameError: No such plugin is known.
    """
    from tipr_zoo.plugin_requirements import import_fix
    from tipr_zoo.registries import REGISTRIES

    plugin = find_plugin(name)
    with ExitStack() as stack:
        for registry in REGISTRIES:
            stack.enter_context(registry.undone_on_error())
        stack.enter_context(redirect_stdout(sys.stderr))  # what a plugin prints is no part of a command's output
        try:
            return importlib.import_module(plugin.module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may raise what it likes
            raise PluginError(
                f"{plugin.place} failed to import {plugin.module}: {type(error).__name__}: {error_line(error)};"
                f" {import_fix(plugin, error)}"
            ) from error


def _read_entry_points() -> Iterator[Plugin]:
    """The plugins that the distributions on the path declare, in the order of the path."""
    for distribution in importlib.metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt")
        except (OSError, UnicodeDecodeError):
            continue  # nothing says that it is a plugin
        # Most distributions have no plugin, and this is faster than parsing; it also keeps the broken ones apart.
        if text is None or ENTRY_POINT_GROUP not in text:
            continue
        try:
            entry_points = [entry for entry in distribution.entry_points if entry.group == ENTRY_POINT_GROUP]
        except Exception as error:  # which depends on the Python version
            plugin = Plugin(name="unknown", module="", metadata=distribution)
            conflict = f"the entry points of {plugin.distribution} cannot be read: {error}; {plugin.removal}"
            yield replace(plugin, name=plugin.distribution, conflict=conflict)
            continue
        for entry in entry_points:
            yield Plugin(name=entry.name, module=entry.value.partition(":")[0].strip(), metadata=distribution)


def _settled(name: str, claims: list[Plugin]) -> list[Plugin]:
    """The plugins of one name, with the conflict of those that cannot have it."""
    if not re.fullmatch(r"[\w.-]+", name):
        reason = f"a plugin's name is made of letters, digits, - _ and ., got {name!r}; rename its entry point"
        return [replace(plugin, conflict=f"{reason}, or: pip uninstall {plugin.distribution}") for plugin in claims]
    if (owner := _OWNERS.get(name)) is not None:
        return [plugin if _is_of(plugin, owner) else _refused(plugin, owner) for plugin in claims]
    if len(claims) == 1:
        return claims
    claimants = " and ".join(f"{plugin.distribution} ({plugin.module})" for plugin in claims)
    conflict = f"plugin {name!r} is brought by {len(claims)} distributions, {claimants}; uninstall all but one of them"
    return [replace(plugin, conflict=conflict) for plugin in claims]


def _is_of(plugin: Plugin, distribution: str) -> bool:
    """Whether `distribution` brings the plugin; names are compared as pip does."""
    return re.sub(r"[-_.]+", "-", plugin.distribution).lower() == distribution


def _refused(plugin: Plugin, owner: str) -> Plugin:
    """A plugin whose name belongs to the distribution `owner`."""
    reason = f"the plugin name {plugin.name!r} belongs to {owner}, and {plugin.distribution} claims it"
    return replace(plugin, conflict=f"{reason}; rename its entry point, or: pip uninstall {plugin.distribution}")
