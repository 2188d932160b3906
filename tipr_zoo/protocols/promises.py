"""What a protocol promises, and what a component lacks of it."""

from __future__ import annotations

import inspect
from typing import Protocol

from torch import nn

_CALLED_BY_PYTHON = ("__call__", "__iter__", "__len__")
"""The special methods that protocols promise. Classes have many others of their own accord."""


class SeesSubmodules(type(Protocol)):  # type: ignore[misc]  # typing has no public name for it
    """A metaclass for protocols whose check also sees a module's submodules.

    Python 3.12 and newer look for attributes without ``__getattr__``, by which PyTorch gives submodules.
    """

    def __instancecheck__(cls, instance: object) -> bool:
        if not getattr(cls, "_is_protocol", False):  # somebody's own class that inherits from a protocol
            return bool(super().__instancecheck__(instance))
        return not missing_names(instance, cls)


def promised_names(protocol: type) -> tuple[str, ...]:
    """List what a protocol promises, e.g. ``("image_size", "__call__")``; inherited names come first."""
    names: dict[str, None] = {}
    for base in reversed(protocol.__mro__):
        if getattr(base, "_is_protocol", False) and base is not Protocol:
            own = [*inspect.get_annotations(base), *vars(base)]
            names.update(dict.fromkeys(name for name in own if name[0] != "_" or name in _CALLED_BY_PYTHON))
    return tuple(names)


def missing_names(component: object, protocol: type) -> list[str]:
    """List what a component lacks of a protocol; nothing where it has all of it.

    Args:
        component: An instance. What is None there is missing, and so is what it only inherits from a protocol. A module
            without ``forward`` lacks ``__call__``, which would run it.
        protocol: One of `tipr_zoo.protocols`.
    """
    missing = [
        name
        for name in promised_names(protocol)
        if getattr(component, name, None) is None or _is_only_promised(type(component), name)
    ]
    if "__call__" in promised_names(protocol) and isinstance(component, nn.Module) and not _runs(component):
        missing.append("forward")
    return missing


def _is_only_promised(component: type, name: str) -> bool:
    """Tell whether a class has a name only from a protocol that it inherits from, where it gives nothing.

    What is to return nothing, such as ``set_epoch``, may be inherited.
    """
    definer = next((base for base in component.__mro__ if name in vars(base)), None)
    if definer is None or not getattr(definer, "_is_protocol", False):
        return False
    return getattr(vars(definer)[name], "__annotations__", {}).get("return") not in ("None", None, type(None))


def _runs(module: nn.Module) -> bool:
    """Tell whether a call of a module does something: by a ``forward`` of its class or its own, or without one."""
    forward = module.forward
    is_unwritten = forward is None or getattr(forward, "__func__", None) is nn.Module.forward
    return not is_unwritten or type(module).__call__ is not nn.Module.__call__
