"""The optimiser of a recipe: one of torch's or timm's by its name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import timm.optim
import torch
from torch import nn

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, error_line
from tipr_zoo.models.recipe_values import check_values
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.loop.parameter_groups import parameter_groups

OF_TORCH = {
    name: kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and kind is not torch.optim.Optimizer
}
"""torch's optimisers, by the names of their classes."""

OF_TIMM: tuple[str, ...] = tuple(map(str, timm.optim.list_optimizers()))
"""The names of timm's optimisers, all in lower case."""

UNFIT = {
    "LBFGS": "it computes the losses several times a step, and a step here has them once",
    "SparseAdam": "it takes sparse gradients, and those of a model here are dense",
    "adahessian": "it needs gradients of gradients, which a step here does not compute",
}
"""Optimisers that a training cannot run, and why."""

_EXTRAS = {"bnb": "bitsandbytes", "fused": "apex"}
"""Beginnings of the names of timm's optimisers that need another package and a GPU."""


def build_optimiser(
    model: nn.Module,
    config: Mapping[str, Any],
    multipliers: Mapping[str, float],
    patterns: Iterable[Mapping[str, Any]] = (),
    layer_decay: float | None = None,
) -> torch.optim.Optimizer:
    """Build the optimiser of a recipe, and try it on a few numbers.

    Args:
        model: The model.
        config: ``type``, ``lr``, ``weight_decay`` and whatever the optimiser takes. The type is the name of a class of
            `torch.optim`, e.g. ``"NAdam"``, or timm's own name of one of its optimisers, e.g. ``"lamb"``.
        multipliers: See `tipr_zoo.training.loop.parameter_groups.parameter_groups`.
        patterns: Likewise.
        layer_decay: Likewise.

    Raises:
        UnknownNameError: There is no such optimiser, argument, rule or parameter.
        ConfigError: An argument is missing or makes no sense, or the optimiser cannot be used.
    """
    arguments = dict(config)
    name = str(arguments.pop("type", "Adam"))
    make, kind = _found(name)
    if "lr" not in arguments:
        raise ConfigError("training.optimizer needs 'lr', the base learning rate")
    known = {key: each for key, each in inspect.signature(kind).parameters.items() if key not in ("params", "closure")}
    for argument, value in arguments.items():
        if argument not in known:
            raise unknown_name(f"argument of the optimiser {name} (training.optimizer)", argument, known)
        if not is_like(value, known[argument].default):
            raise ConfigError(
                f"training.optimizer.{argument} must be like {known[argument].default!r} for {name}, got {value!r}"
            )
    check_values(kind, arguments, "training.optimizer")
    groups = parameter_groups(
        model, arguments["lr"], arguments.get("weight_decay", 0.0), multipliers, patterns, layer_decay
    )
    _check_rates(groups, arguments["lr"])
    if "deterministic" in known:
        arguments.setdefault("deterministic", True)  # what it draws is then in its state, and the same in all processes
    if name in ("Adam", "AdamW"):
        arguments.setdefault("fused", True)  # the same formula, reading and writing each parameter once
    optimiser = _made(name, make, groups, arguments)
    _try(name, make, groups[0], arguments)
    return optimiser


def _check_rates(groups: list[dict[str, Any]], lr: float) -> None:
    """Check that some parameter learns.

    Raises:
        ConfigError: The patterns and rules give every parameter the rate 0.
    """
    if any(group["lr"] for group in groups):
        return
    if lr:
        raise ConfigError(
            "training.parameter_patterns, .parameter_groups and .layer_decay give every parameter the rate 0, so there"
            " is nothing to train; let some learn"
        )
    logger.warning("training.optimizer.lr is 0: nothing is learnt")


def _found(name: str) -> tuple[Callable[..., torch.optim.Optimizer], Any]:
    """Return what makes an optimiser of groups and arguments, and its class."""
    if name in UNFIT:
        raise ConfigError(f"training.optimizer.type {name!r} cannot be used: {UNFIT[name]}; take e.g. 'AdamW'")
    if name in OF_TORCH:
        return OF_TORCH[name], OF_TORCH[name]
    if name not in OF_TIMM:
        usable = {*OF_TORCH, *OF_TIMM} - UNFIT.keys()
        raise unknown_name("optimiser", name, usable, "torch.optim's classes, and timm.optim.list_optimizers()")
    try:
        kind = timm.optim.get_optimizer_class(name, bind_defaults=False)
    except (ImportError, AssertionError) as error:
        package = next((extra for start, extra in _EXTRAS.items() if name.startswith(start)), "a further package")
        raise ConfigError(
            f"training.optimizer.type {name!r} needs {package} and a GPU: {error_line(error)}; take another optimiser"
        ) from error
    return partial(timm.optim.create_optimizer_v2, opt=name), kind


def _made(
    name: str, make: Callable[..., torch.optim.Optimizer], groups: list[dict[str, Any]], arguments: Mapping[str, Any]
) -> torch.optim.Optimizer:
    try:
        return make(groups, **arguments)
    except (TypeError, ValueError, LookupError, RuntimeError, AssertionError, ImportError) as error:
        raise ConfigError(f"training.optimizer, {name}: {error_line(error)}") from error


def _try(
    name: str, make: Callable[..., torch.optim.Optimizer], group: Mapping[str, Any], arguments: Mapping[str, Any]
) -> None:
    """Do a step with numbers of no model: many an optimiser looks at its arguments then, and not before.

    Raises:
        ConfigError: It fails.
    """
    like: torch.Tensor = group["params"][0]
    trial = [nn.Parameter(torch.ones(4, 4, dtype=like.dtype, device=like.device))]
    if name != "Muon":  # torch's, which takes matrices alone, and was told the others
        trial.append(nn.Parameter(torch.ones(4, dtype=like.dtype, device=like.device)))
    options = {key: value for key, value in group.items() if key not in ("params", "name")}
    optimiser = _made(
        name, make, [{"params": [each], "name": f"{index}", **options} for index, each in enumerate(trial)], arguments
    )
    for each in trial:
        each.grad = torch.ones_like(each)
    try:
        for _ in range(2):  # the first one may only fill what the second one uses
            optimiser.step()
    except Exception as error:  # whatever its arguments lead to
        raise ConfigError(
            f"training.optimizer, {name}: a step fails: {type(error).__name__}: {error_line(error)}"
        ) from error


def is_like(value: Any, default: Any) -> bool:
    """Tell whether a value is of the kind of an argument's default; True where that says nothing.

    >>> is_like("abc", 0.9), is_like(0, 0.9), is_like((0.9, 0.99), (0.9, 0.99, 0.999))
    (False, True, False)
    """
    if default is None or default is inspect.Parameter.empty:
        return True
    if isinstance(default, bool):
        return isinstance(value, bool) or value is None
    if isinstance(default, (int, float)):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if isinstance(default, (list, tuple)):
        return (
            isinstance(value, (list, tuple))
            and len(value) == len(default)
            and all(each is None or is_like(each, 0.0) for each in value)
        )
    return isinstance(value, str) if isinstance(default, str) else True
