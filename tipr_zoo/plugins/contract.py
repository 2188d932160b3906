"""The plugin contract: what a plugin may rely on, as a version that a plugin can name.

docs/plugin_contract.md says what belongs to it. The major number goes up when something of it is removed or changed,
the minor one when something is added, so that a plugin works with every core of its own major number and of a minor
number that is at least its own.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

PLUGIN_CONTRACT = "1.1"
"""The version that this core keeps."""

STATEMENT = "PLUGIN_CONTRACT"
"""The variable of a plugin's top-level package that names the version it is written for."""


def stated_contract(package: str) -> str | None:
    """The version that a plugin is written for, read from the source of its top-level package, which is not imported.

    A plugin that needs a newer core may not survive its import, and is to be told why all the same.

    Args:
        package: Name of the top-level package.

    Returns:
        The text that the package assigns to ``PLUGIN_CONTRACT``; None where it says nothing that can be read.
    """
    try:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            return None
        module = ast.parse(Path(spec.origin).read_bytes())
    except (ImportError, OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # the last: nested too deep
        return None  # its import will say what is wrong
    for statement in module.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == STATEMENT for target in targets):
            value = getattr(statement, "value", None)
            return str(value.value) if isinstance(value, ast.Constant) else None
    return None


def contract_problem(stated: str, distribution: str, kept: str = PLUGIN_CONTRACT) -> str | None:
    """Why a plugin that is written for the version `stated` cannot be used with this core.

    Args:
        stated: The version that the plugin names.
        distribution: Name of the distribution that brings the plugin.
        kept: The version that the core keeps.

    Returns:
        The reason with what mends it; None where the two fit.
    """
    if not re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}", stated):
        return f"its {STATEMENT} must be two numbers such as {kept!r}, got {stated!r}; mend or uninstall {distribution}"
    own, needed = (tuple(map(int, version.split("."))) for version in (kept, stated))
    if needed[0] == own[0] and needed <= own:
        return None
    reason = f"it is written for plugin contract {stated}, and this tipr-zoo keeps {kept}"
    return f"{reason}; pip install --upgrade {'tipr-zoo' if needed > own else distribution}"
