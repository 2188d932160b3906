"""Plugins: packages that bring components and cards, found through setuptools entry points.

A plugin declares, under the entry-point group ``tipr_zoo.plugins``, a module whose import registers its
components. Finding a plugin and its cards reads files only; its code runs when one of its models is built.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import DuplicateNameError, PluginError

ENTRY_POINT_GROUP = "tipr_zoo.plugins"

FIRST_PARTY = {"sen": "tipr-zoo-sen", "fmfa": "tipr-zoo-fmfa"}
"""Plugins whose cards ship with the core, and the distribution that brings each."""


@dataclass(frozen=True)
class Plugin:
    """An installed plugin, as its distribution declares it; nothing of it has been imported.

    Attributes:
        name: The entry point's name, which a card's ``plugin:`` refers to.
        module: Dotted name of the module whose import registers the components.
        distribution: Name of the distribution that brings it.
        version: Version of that distribution.
        conflict: Why it cannot be used although it is there: another distribution claims its name.
    """

    name: str
    module: str
    distribution: str
    version: str
    conflict: str | None = None

    @property
    def package(self) -> str:
        """Top-level package of `module`."""
        return self.module.partition(".")[0]

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


@cache
def installed_plugins() -> dict[str, Plugin]:
    """Every installed plugin by name; one whose name two distributions claim carries that as its conflict."""
    plugins: dict[str, Plugin] = {}
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        distribution = entry_point.dist
        plugin = Plugin(
            name=entry_point.name,
            module=entry_point.value.partition(":")[0].strip(),
            distribution=distribution.name if distribution else "unknown",
            version=distribution.version if distribution else "unknown",
        )
        first = plugins.setdefault(plugin.name, plugin)
        if first.distribution != plugin.distribution:
            claimants = f"{first.distribution} and {plugin.distribution}"
            conflict = f"plugin {plugin.name!r} is brought by two distributions, {claimants}; uninstall one of them"
            plugins[plugin.name] = replace(first, conflict=conflict)
    return dict(sorted(plugins.items()))


def find_plugin(name: str) -> Plugin:
    """The installed plugin `name`.

    Raises:
        PluginError: A first-party plugin that is not installed; the message has the command that installs it.
        DuplicateNameError: Two distributions bring a plugin of this name.
        UnknownNameError: No such plugin is known.
    """
    plugins = installed_plugins()
    if name in plugins:
        if (conflict := plugins[name].conflict) is not None:
            raise DuplicateNameError(conflict)
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
        PluginError: The plugin is not installed, or raised while it was imported.
        UnknownNameError: No such plugin is known.
    """
    from tipr_zoo.registries import REGISTRIES

    plugin = find_plugin(name)
    with ExitStack() as stack:
        for registry in REGISTRIES:
            stack.enter_context(registry.undone_on_error())
        stack.enter_context(redirect_stdout(sys.stderr))  # what a plugin prints is no part of a command's output
        try:
            return importlib.import_module(plugin.module)
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).split())
            raise PluginError(
                f"plugin {name!r} ({plugin.distribution} {plugin.version}) failed to import {plugin.module}:"
                f" {type(error).__name__}: {reason}; mend or uninstall {plugin.distribution}"
            ) from error
