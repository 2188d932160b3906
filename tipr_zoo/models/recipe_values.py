"""The check that the values of a recipe's ``model`` are what its components take. Each is told with its entry."""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Union, get_args, get_origin, get_type_hints

from tipr_zoo.errors import ConfigError
from tipr_zoo.registry import Registry

_WORDS = {int: ("a whole number", "whole numbers"), float: ("a finite number", "finite numbers")}
_WORDS |= {str: ("text", "texts"), bool: ("True or False", "True or False"), type(None): ("None", "None")}


def build_component(
    registry: Registry, entry: Any, place: str, offered: Mapping[str, Any] | None = None, **known: Any
) -> Any:
    """Build a component of a recipe. What is wrong with it is told with its entry.

    Args:
        registry: Where its ``type`` is registered.
        entry: A dict with ``type``.
        place: The entry's dotted name, e.g. ``"model.image_encoder"``.
        offered: Arguments that the component gets where its constructor names them.
        known: Further arguments, which do not come from the recipe.

    Raises:
        ConfigError: The component does not take a value, or is not one.
        UnknownNameError: There is no such component, or it has no such argument.
    """
    if isinstance(entry, Mapping) and isinstance(entry.get("type"), str) and entry["type"] in registry:
        component = registry.get(entry["type"])
        check_values(component, entry, place)
        named = inspect.signature(component).parameters
        known |= {name: value for name, value in (offered or {}).items() if name in named}
    try:
        return registry.build(entry, **known)
    except ConfigError as error:
        lines = str(error).splitlines() or [""]
        raise ConfigError(lines[0] if place in lines[0] else f"{place}: {lines[0]}") from error


def checked_channels(model: Mapping[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Return ``mean`` and ``std`` of the pictures' three channels, as far as a recipe's ``model`` gives them.

    Raises:
        ConfigError: One is not three numbers, or a standard deviation is not above 0.
    """
    channels: dict[str, tuple[float, float, float]] = {}
    for key in ("mean", "std"):
        if key not in model:
            continue
        value = model[key]
        is_three = isinstance(value, (list, tuple)) and len(value) == 3 and all(_fits(part, float) for part in value)
        if not is_three or (key == "std" and min(value) <= 0):
            range_ = " above 0" if key == "std" else ""
            raise ConfigError(
                f"model.{key} must be three numbers{range_}, one for each of red, green and blue, e.g. (0.5, 0.5, 0.5),"
                f" got {value!r}"
            )
        channels[key] = tuple(float(part) for part in value)  # type: ignore[assignment]  # three, as was checked
    return channels


def check_values(component: Any, entry: Mapping[str, Any], place: str) -> None:
    """Check every value of an entry by the type that a component's constructor declares.

    Args:
        component: A class or function.
        entry: Its arguments by name. Other entries are left alone.
        place: The entry's dotted name.

    Raises:
        ConfigError: A value is of another type.
    """
    try:
        hints = get_type_hints(component.__init__ if inspect.isclass(component) else component)
    except Exception:  # types that a plugin imports for its type checker only
        return
    for name, value in entry.items():
        hint = hints.get(name)
        if hint is not None and not _fits(value, hint):
            raise ConfigError(f"{place}.{name} must be {_words(hint)}, got {value!r}")


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a declared type; True where the type is none of the plain ones."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in arguments)
    if origin in (Sequence, list, tuple):
        items = [argument for argument in arguments if argument is not ...]
        return isinstance(value, (list, tuple)) and (
            len(set(items)) != 1 or all(_fits(item, items[0]) for item in value)
        )
    if hint is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if hint in (str, bool):
        return isinstance(value, hint)
    return hint is not type(None) or value is None


def _words(hint: Any) -> str:
    """Return what a message calls a type."""
    arguments = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_words(option) for option in arguments)
    if get_origin(hint) in (Sequence, list, tuple):
        plain = _WORDS.get(arguments[0]) if arguments else None
        return f"a list of {plain[1]}" if plain else "a list"
    return _WORDS[hint][0] if hint in _WORDS else getattr(hint, "__name__", str(hint))
