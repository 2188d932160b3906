"""Which readers of official checkpoints there are: the core's, and those of installed plugins, imported when needed."""

from __future__ import annotations

from collections.abc import Iterable

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import TiprZooError
from tipr_zoo.models.checkpoint_reader import MethodReader, checked_reader
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.plugins.discovery import FIRST_PARTY, installed_plugins
from tipr_zoo.registries import CHECKPOINTS
from tipr_zoo.terminal.log import logger
from tipr_zoo.weights.official_names import usual_names

_BROUGHT_BY = {"icl": "rde", "conquer": "rde", "tbps_clip_simplified": "tbps_clip"}
"""The first-party plugins that bring methods of other names than their own."""


def reader_named(method: str) -> MethodReader:
    """Return the reader of a method. The core's needs no plugin, and a plugin of the method's name is imported alone.

    Args:
        method: The name that a reader is registered under, e.g. ``"sen"``.

    Raises:
        UnknownNameError: No reader of this name is registered by the core or by an installed plugin.
        PluginError: The plugin is missing or broken, or the reader is.
        DuplicateNameError: Two distributions bring a plugin of this name.
    """
    if isinstance(method, str):
        if method not in CHECKPOINTS:
            plugin = _BROUGHT_BY.get(method, method)
            if plugin in installed_plugins() or plugin in FIRST_PARTY:
                import_plugin(plugin)
        if method not in CHECKPOINTS:
            import_every_plugin()
        if method in CHECKPOINTS:
            return checked_reader(method)
    known = [*CHECKPOINTS.names(), *FIRST_PARTY, *_BROUGHT_BY]
    raise unknown_name("method", str(method), list(dict.fromkeys(known)))


def import_every_plugin() -> None:
    """Import every installed plugin, so that its readers are registered. A broken one is told and left out."""
    for name in installed_plugins():
        try:
            import_plugin(name)
        except TiprZooError as error:
            logger.warning("the checkpoints of plugin %s are not known: %s", name, error)


def readers_of(names: Iterable[str]) -> list[MethodReader]:
    """Return the readers that recognise a checkpoint, the core's first. A broken reader is told and left out.

    Args:
        names: Every official name.

    Returns:
        All of them: methods share names, and none is chosen silently. IRRA comes before those that inherit from it.
    """
    import_every_plugin()
    names = list(usual_names(names).values())
    readers = []
    for method in CHECKPOINTS.names():
        try:
            reader = checked_reader(method)
            if reader.recognises(names):
                readers.append(reader)
        except TiprZooError as error:
            logger.warning("%s", error)
    return sorted(readers, key=_rank)


def _rank(reader: MethodReader) -> tuple[bool, int, str]:
    """Return what readers are sorted by: the core's before a plugin's, and a base before who inherits from it."""
    kind = type(reader.reader)
    return not kind.__module__.startswith("tipr_zoo."), len(kind.__mro__), reader.method
