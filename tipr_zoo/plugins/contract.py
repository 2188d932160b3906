"""The version of the plugin contract. The contract says what a plugin may rely on.

docs/plugin_contract.md lists what belongs to it. The major number rises when something is removed or changed. The minor
number rises when something is added. So a plugin works with every core of the same major number whose minor number is
not smaller than the plugin's.
"""

from __future__ import annotations

import ast
import importlib.util
import re

from tipr_zoo.outside.files import SOURCE_LIMIT, read_bytes
from tipr_zoo.terminal.suggested_command import quoted

PLUGIN_CONTRACT = "1.1"
"""The version of this core."""

STATEMENT = "PLUGIN_CONTRACT"
"""The variable in a plugin's top-level package that names the version for which the plugin is written."""


def stated_contract(package: str) -> str | None:
    """Read the version for which a plugin is written from the source of its top-level package.

    The package is not imported. The import of a plugin that needs a newer core may fail, and its user must learn why.

    Args:
        package: Name of the top-level package.

    Returns:
        The text that the package assigns to ``PLUGIN_CONTRACT``. None where there is no such text.
    """
    try:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            return None
        module = ast.parse(read_bytes(spec.origin, SOURCE_LIMIT))
    except (ImportError, OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # the last: nested too deeply
        return None  # its import will raise the real error
    for statement in module.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == STATEMENT for target in targets):
            value = getattr(statement, "value", None)
            return str(value.value) if isinstance(value, ast.Constant) else None
    return None


def contract_problem(stated: str, distribution: str, kept: str = PLUGIN_CONTRACT) -> str | None:
    """Tell why a plugin that is written for the version `stated` cannot be used with this core.

    >>> contract_problem("1.0", "tipr-zoo-hard-pairs", kept="1.1") is None
    True

    Args:
        stated: The version that the plugin names.
        distribution: Name of the distribution that brings the plugin.
        kept: The version of the core.

    Returns:
        The reason with its fix. None where the two fit.
    """
    if not re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}", stated):
        return f"its {STATEMENT} must be two numbers such as {kept!r}, got {stated!r}; mend or uninstall {distribution}"
    own, needed = (tuple(map(int, version.split("."))) for version in (kept, stated))
    if needed[0] == own[0] and needed <= own:
        return None
    reason = f"it is written for plugin contract {stated}, and this tipr-zoo keeps {kept}"
    return f"{reason}; pip install --upgrade {quoted('tipr-zoo' if needed > own else distribution)}"
