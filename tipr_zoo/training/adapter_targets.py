"""The layers that the targets of adapters name: by name, by the end of a name, or by a pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError

TOWERS = ("image_encoder.", "text_encoder.")
"""What the names of layers that can have adapters begin with."""


def named_layers(model: nn.Module, targets: Sequence[str]) -> list[str]:
    """List the layers that names and patterns stand for, in the model's order.

    Raises:
        ConfigError: A layer is named twice, or is no linear one.
        UnknownNameError: No layer has such a name.
    """
    modules = {name: module for name, module in model.named_modules() if name.startswith(TOWERS)}
    linear = [name for name, module in modules.items() if type(module) is nn.Linear]
    if not linear:
        towers = " and ".join(tower.rstrip(".") for tower in TOWERS)
        raise ConfigError(
            f"{type(model).__name__} has no linear layers in {towers}, on which adapters go; leave out"
            " training.adapters"
        )
    named: dict[str, str] = {}
    for target in targets:
        found = [name for name in linear if _is_named(name, target)]
        if not found:
            _raise_no_layer(target, modules, linear)
        for name in found:
            if name in named:
                raise ConfigError(
                    f"training.adapters.targets: {named[name]!r} and {target!r} both name {name}; a layer gets one"
                    " adapter"
                )
            named[name] = target
    return [name for name in linear if name in named]


def _is_named(name: str, target: str) -> bool:
    return fnmatchcase(name, target) or fnmatchcase(name, f"*.{target}")


def _raise_no_layer(target: str, modules: Mapping[str, nn.Module], linear: Sequence[str]) -> None:
    """Say why a target names no layer that can have an adapter."""
    for name, module in modules.items():
        if _is_named(name, target):
            raise ConfigError(
                f"training.adapters.targets: {target!r} names {name}, a {type(module).__name__}; adapters go on linear"
                " layers of the towers"
            )
    ends = {".".join(name.split(".")[-count:]) for name in linear for count in (1, 2)}
    known = {*ends, *linear} if target.count(".") > 1 else ends
    told = "they end in " + ", ".join(sorted(end for end in ends if "." not in end))
    raise unknown_name("layer of the towers (training.adapters.targets)", target, known, told)
