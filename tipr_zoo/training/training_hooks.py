"""The core's hook, and the hooks of a recipe: built, and checked for methods that nothing calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tipr_zoo.cards.record import METRICS
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError
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
