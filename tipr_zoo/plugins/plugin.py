"""A plugin, as its distribution declares it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import Distribution
from pathlib import Path

from tipr_zoo.terminal.suggested_command import quoted


@dataclass(frozen=True)
class Plugin:
    """An installed plugin, as its distribution declares it. Nothing of it is imported.

    Attributes:
        name: The entry point's name. A card's ``plugin:`` has it.
        module: Dotted name of the module that registers the components when imported. Empty where it cannot be read.
        metadata: The distribution that brings the plugin.
        conflict: Why the plugin cannot be used although it is installed. E.g. another distribution claims its name.
    """

    name: str
    module: str
    metadata: Distribution = field(repr=False, compare=False)
    conflict: str | None = None

    # Read only when needed: parsing the metadata of 200 plugins would take longer than the rest of listing.
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
        """The requirements of the distribution, as in ``Requires-Dist``."""
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
        """What to do where the plugin does not work and only its author can fix it."""
        return f"mend it, or: pip uninstall {quoted(self.distribution)}"

    def folder(self, name: str) -> Path | None:
        """Return the sub-folder `name` of the plugin's top-level package, or None where it has none.

        Only the top-level name is looked up. ``find_spec`` of a dotted name would import its parents.
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
        """Return one field of the metadata, or ``"unknown"`` where the distribution has lost its metadata."""
        try:
            return self.metadata.metadata[key] or "unknown"
        except Exception:  # its type depends on the Python version
            return "unknown"
