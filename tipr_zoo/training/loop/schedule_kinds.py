"""torch's and timm's schedules by name: which there are, and what they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import timm.scheduler
from timm.scheduler.scheduler import Scheduler
from torch.optim import lr_scheduler

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError
from tipr_zoo.training.loop.optimiser import is_like

_BY_FIGURES = "its rate depends on figures of the training, and a rate here on time alone, which a resumed one knows"
_BY_FUNCTION = "it takes a function, which an entry of a recipe cannot be"

UNFIT = {
    "ReduceLROnPlateau": _BY_FIGURES,
    "PlateauLRScheduler": _BY_FIGURES,
    "LambdaLR": _BY_FUNCTION,
    "MultiplicativeLR": _BY_FUNCTION,
}
"""Schedules that a training cannot have, and why."""

OF_TORCH: dict[str, Callable[..., Any]] = {
    name: kind
    for name, kind in vars(lr_scheduler).items()
    if isinstance(kind, type)
    and issubclass(kind, lr_scheduler.LRScheduler)
    and name not in ("LRScheduler", *UNFIT)
    and name[0] != "_"
}
"""torch's schedules, by the names of their classes."""

OF_TIMM: dict[str, Callable[..., Any]] = {
    name: kind
    for name, kind in vars(timm.scheduler).items()
    if isinstance(kind, type) and issubclass(kind, Scheduler) and name not in UNFIT
}
"""timm's schedules, by the names of their classes."""

LENGTHS = {"CosineAnnealingLR": "T_max", "OneCycleLR": "total_steps", "PolynomialLR": "total_iters"}
"""The argument of torch's schedules that says how long they are. timm's are ``t_initial`` long."""

_WHOLE = (*LENGTHS.values(), "t_initial", "step_size", "T_0", "epochs", "steps_per_epoch", "step_size_up")
"""Arguments that are lengths."""

_GIVEN = ("optimizer", "last_epoch", "verbose", "initialize", "t_in_epochs")


def found_kind(name: str, place: str = "training.schedule") -> Callable[..., Any]:
    """Return the class of a schedule of torch's or timm's.

    Raises:
        UnknownNameError: There is none.
        ConfigError: It cannot be used.
    """
    if name in UNFIT:
        raise ConfigError(f"{place}.type {name!r} cannot be used: {UNFIT[name]}; take e.g. 'cosine'")
    kinds = {**OF_TORCH, **OF_TIMM}
    if name not in kinds:
        raise unknown_name(f"schedule type ({place})", name, kinds)
    return kinds[name]


def arguments_of(kind: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the arguments of a schedule that are the recipe's to say, by name."""
    return {key: each for key, each in inspect.signature(kind).parameters.items() if key not in _GIVEN}


def check_argument(name: str, argument: str, value: Any, known: Mapping[str, inspect.Parameter], place: str) -> None:
    """Check one argument of a schedule.

    Args:
        name: The schedule's.
        argument: The argument's.
        value: What a recipe gives.
        known: From `arguments_of`.
        place: Where the recipe gives it.

    Raises:
        UnknownNameError: The schedule has no such argument.
        ConfigError: The value is of another kind than the argument's default, or is no length.
    """
    if argument not in known:
        raise unknown_name(f"argument of the schedule {name} ({place})", argument, known)
    default = known[argument].default
    if not is_like(value, default) or (default is inspect.Parameter.empty and isinstance(value, (bool, str))):
        wanted = "a number" if default is inspect.Parameter.empty else f"like {default!r}"
        raise ConfigError(f"{place}.{argument} must be {wanted} for {name}, got {value!r}")
    if argument in _WHOLE and not (type(value) is int and value > 0) and not (value is None and default is None):
        raise ConfigError(f"{place}.{argument} must be a whole number above 0 for {name}, got {value!r}")
