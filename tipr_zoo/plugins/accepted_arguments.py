"""Which arguments a component's constructor takes by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def accepted_arguments(component: Callable[..., Any]) -> set[str]:
    """List the arguments of a class's constructor, and of its base's where it hands any on; or those of a function."""
    if not inspect.isclass(component):
        return _named(inspect.signature(component).parameters.values())
    names: set[str] = set()
    for base in component.__mro__[:-1]:
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        names |= _named(parameters)
        if all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in parameters):
            break
    return names


def _named(parameters: Any) -> set[str]:
    return {parameter.name for parameter in parameters if parameter.kind in _NAMED}
