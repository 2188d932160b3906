"""What a plugin needs: a core that keeps its contract, and the distributions that it requires."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from functools import cache

from tipr_zoo.plugins.contract import contract_problem, stated_contract
from tipr_zoo.plugins.plugin import Plugin
from tipr_zoo.version import __version__

CORE = "tipr-zoo"


@cache
def core_problem(plugin: Plugin) -> str | None:
    """Why a plugin cannot be used with this core, with what mends it; None where the two fit.

    Asked before the plugin is imported: where the core lacks what the plugin needs, its import would fail with some
    other error, or not fail and go wrong later.
    """
    for requirement, installed in _unmet_requirements(plugin):
        if _distribution_of(requirement) == CORE:
            older = CORE if _asks_for_newer(requirement) else plugin.distribution
            return f"it requires {requirement}, and this is {CORE} {installed}; pip install --upgrade {older}"
    stated = stated_contract(plugin.package)
    return None if stated is None else contract_problem(stated, plugin.distribution)


def import_fix(plugin: Plugin, error: BaseException) -> str:
    """What to do about a plugin whose import raised `error`."""
    if isinstance(error, ModuleNotFoundError) and error.name == plugin.package:
        return (
            f"its package {plugin.package} is missing: pip install --force-reinstall {plugin.distribution},"
            f" or: pip uninstall {plugin.distribution}"
        )
    for requirement, installed in _unmet_requirements(plugin):
        state = "is not installed" if installed is None else f"is not met by {installed}"
        return f"it requires {requirement}, which {state}: pip install '{requirement}'"
    return plugin.removal


def _unmet_requirements(plugin: Plugin) -> Iterator[tuple[str, str | None]]:
    """The requirements of a plugin's distribution that nothing meets, each with the version that is installed."""
    from packaging.requirements import InvalidRequirement, Requirement

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
    """Whether a requirement of the core that is not met asks for a newer one, and not for one of the past."""
    from packaging.requirements import Requirement
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
    """The name in a requirement, as pip compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def _installed_version(distribution: str) -> str | None:
    """The version of a distribution; that of the core is the one that runs, wherever it comes from."""
    if _distribution_of(distribution) == CORE:
        return __version__
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
