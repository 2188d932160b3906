"""The import of a plugin, which registers its components."""

from __future__ import annotations

import importlib
import sys
from contextlib import ExitStack, redirect_stdout
from types import ModuleType

from tipr_zoo.errors import PluginError, error_line
from tipr_zoo.plugins.discovery import find_plugin
from tipr_zoo.plugins.requirements import import_fix
from tipr_zoo.registries import REGISTRIES


def import_plugin(name: str) -> ModuleType:
    """Import the plugin `name`, which registers its components. What a failed import registered is undone.

    Raises:
        PluginError: The plugin is not installed, needs another core, or raised while it was imported.
        DuplicateNameError: Two distributions bring a plugin of this name.
        UnknownNameError: No such plugin is known.
    """
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
