"""The core's hooks, and the hooks of a recipe: built, and checked for methods that nothing calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.cards.record import METRICS
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch
from tipr_zoo.models.component_check import PAGE
from tipr_zoo.models.recipe_values import build_component
from tipr_zoo.protocols import TrainingHook, TrainingRun
from tipr_zoo.registries import HOOKS
from tipr_zoo.terminal.log import logger

MOMENTS = (
    "before_run",
    "after_run",
    "before_epoch",
    "after_epoch",
    "before_step",
    "after_step",
    "before_validation",
    "after_validation",
)
"""The methods of a hook that a training calls."""

STATE = ("state_dict", "load_state_dict")
_SOFT_LABEL_RATIO = "soft_label_ratio"
"""The batch entry of `SoftLabelRamp`: (B,) in [0, 1], the same for each pair."""


def build_hooks(training: Mapping[str, Any]) -> list[TrainingHook]:
    """Build the hooks of a recipe, in their order.

    Args:
        training: The recipe's ``training`` entry; ``hooks`` is a list of dicts with a ``type``.

    Raises:
        ConfigError: ``hooks`` is something else, or a hook has no method that is called, half of what a state needs, or
            a method whose name is that of no moment.
        UnknownNameError: There is no such hook, or it has no such argument.
    """
    entries = training.get("hooks") or ()
    if not isinstance(entries, (list, tuple)):
        raise ConfigError(f"training.hooks must be a list of dicts with a 'type', got {entries!r}")
    hooks = []
    for index, entry in enumerate(entries):
        place = f"training.hooks[{index}]"
        hook = build_component(HOOKS, entry, place)
        _check_methods(hook, place)
        hooks.append(hook)
    return hooks


def _check_methods(hook: object, place: str) -> None:
    kind = type(hook).__name__
    for name in dir(hook):
        if name.startswith(("before_", "after_")) and name not in MOMENTS and callable(getattr(hook, name)):
            raise ConfigError(f"{place}: {unknown_name(f'moment of the hook {kind}', name, MOMENTS)}; {PAGE}")
    for name in (*MOMENTS, *STATE):
        if (method := getattr(hook, name, None)) is not None and not callable(method):
            raise ConfigError(f"{place}: {name} of {kind} must be a method, got {method!r}; {PAGE}")
    if not any(hasattr(hook, name) for name in MOMENTS):
        raise ConfigError(f"{place}: {kind} has none of {', '.join(MOMENTS)}, so nothing calls it; {PAGE}")
    if (has := [name for name in STATE if hasattr(hook, name)]) and len(has) == 1:
        lacks = next(name for name in STATE if name not in has)
        raise ConfigError(f"{place}: {kind} has {has[0]} and lacks {lacks}; a state needs both; {PAGE}")


@HOOKS.register_module()
class StopEarly:
    """Ends a training that has not become better on validation for some time.

    Args:
        patience: Validations without a better figure after which the training ends.
        figure: The figure: ``R1``, ``R5``, ``R10``, ``mAP`` or ``mINP``.

    Raises:
        ConfigError: `patience` is below 1.
        UnknownNameError: There is no such figure.
    """

    def __init__(self, patience: int = 5, figure: str = "R1") -> None:
        if patience < 1:
            raise ConfigError(f"patience of StopEarly must be a whole number from 1, got {patience!r}")
        if figure not in METRICS:
            raise unknown_name("figure of StopEarly", str(figure), METRICS)
        self.patience, self.figure = patience, figure
        self.best, self.without = -1.0, 0

    def after_validation(self, run: TrainingRun, figures: Mapping[str, float]) -> None:
        """Count validations without a better figure."""
        is_better = figures[self.figure] > self.best
        self.best, self.without = max(self.best, figures[self.figure]), 0 if is_better else self.without + 1
        if self.without >= self.patience:
            logger.warning(
                "%s was not better than %s for %d validations: the training ends", self.figure, self.best, self.without
            )
            run.stop()

    def state_dict(self) -> dict[str, Any]:
        """Return the best figure so far, and the number of validations since."""
        return {"best": self.best, "without": self.without}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.best, self.without = float(state["best"]), int(state["without"])


@HOOKS.register_module()
class SoftLabelRamp:
    """Lets the ratio of soft labels rise from 0, step by step; it then stays. Losses read ``soft_label_ratio``.

    Args:
        ratio: The ratio in the end: 0.5 in TBPS-CLIP (arXiv 2308.10045), 0.4 in RaSa (arXiv 2305.13653).
        epochs: In how many epochs it is reached.

    Raises:
        ConfigError: `ratio` is not from 0 to 1, or `epochs` is no number above 0.
    """

    brings_to_batch = (_SOFT_LABEL_RATIO,)

    def __init__(self, ratio: float = 0.5, epochs: float = 1.0) -> None:
        if not 0 <= ratio <= 1:
            raise ConfigError(f"ratio of SoftLabelRamp must be from 0 to 1, got {ratio!r}")
        if not epochs > 0:
            raise ConfigError(f"epochs of SoftLabelRamp must be a number above 0, got {epochs!r}")
        self.ratio, self.epochs = ratio, epochs

    def before_step(self, run: TrainingRun, batch: Batch) -> Mapping[str, Tensor]:
        """Return the ratio of the step. It depends on time alone, resumed or not."""
        share = min(1.0, run.step / (self.epochs * run.epoch_length))
        return {_SOFT_LABEL_RATIO: torch.full((len(batch["pids"]),), self.ratio * share)}
