"""The needs of a plugin: a core that keeps its contract, and the distributions that it requires."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from functools import cache

from tipr_zoo.plugins.contract import contract_problem, stated_contract
from tipr_zoo.plugins.plugin import Plugin
from tipr_zoo.terminal.suggested_command import quoted
from tipr_zoo.version import __version__

CORE = "tipr-zoo"


@cache
def core_problem(plugin: Plugin) -> str | None:
    """Tell why a plugin cannot be used with this core, with the fix. None where the two fit.

    Call this before the plugin is imported. Where the core lacks something, the import would fail with a less clear
    error, or the plugin would fail later.
    """
    for requirement, installed in _unmet_requirements(plugin):
        if _distribution_of(requirement) == CORE:
            older = CORE if _asks_for_newer(requirement) else plugin.distribution
            return f"it requires {requirement}, and this is {CORE} {installed}; pip install --upgrade {quoted(older)}"
    stated = stated_contract(plugin.package)
    return None if stated is None else contract_problem(stated, plugin.distribution)


def import_fix(plugin: Plugin, error: BaseException) -> str:
    """Tell what to do about a plugin whose import raised `error`."""
    if isinstance(error, ModuleNotFoundError) and error.name == plugin.package:
        return (
            f"its package {plugin.package} is missing: pip install --force-reinstall {quoted(plugin.distribution)},"
            f" or: pip uninstall {quoted(plugin.distribution)}"
        )
    for requirement, installed in _unmet_requirements(plugin):
        state = "is not installed" if installed is None else f"is not met by {installed}"
        return f"it requires {requirement}, which {state}: pip install {quoted(requirement)}"
    return plugin.removal


def _unmet_requirements(plugin: Plugin) -> Iterator[tuple[str, str | None]]:
    """Yield the requirements of a plugin's distribution that are not met, each with the installed version."""
    from packaging.requirements import (
        InvalidRequirement,
        Requirement,
    )  # not at the top: most plugins require nothing that is asked here

    for text in plugin.requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # pip refuses to install such a distribution
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        installed = _installed_version(requirement.name)
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            yield f"{requirement.name}{requirement.specifier}", installed


def _asks_for_newer(requirement: str) -> bool:
    """Tell whether a requirement that this core does not meet asks for a newer core, and not for an older one."""
    from packaging.requirements import Requirement  # not at the top: only what is not met comes here
    from packaging.version import InvalidVersion, Version

    for bound in Requirement(requirement).specifier:
        try:
            if bound.operator in (">=", ">", "==", "~=") and Version(bound.version.removesuffix(".*")) > Version(
                __version__
            ):
                return True
        except InvalidVersion:
            continue
    return False


def _distribution_of(requirement: str) -> str:
    """Return the name in a requirement, in the form in which pip compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def _installed_version(distribution: str) -> str | None:
    """Return the version of a distribution. For the core, it is the version that runs, wherever it comes from."""
    if _distribution_of(distribution) == CORE:
        return __version__
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
