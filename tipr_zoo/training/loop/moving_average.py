"""Moving averages of the parameters (EMA), whose weights are validated and kept in the place of the last ones.

The model learns as ever. Beside it, each parameter that learns has an average, which follows it by a small share after
every change. For the time of a validation, and at the end of the training, the two change places.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.models.recipe_schema import AboveZero, Count, Switch
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.settings import settings
from tipr_zoo.weights.whole_checkpoint import describe_checkpoint

ENTRY = "moving_average"
"""The entry of a checkpoint that holds the averages."""


@dataclass(frozen=True, kw_only=True)
class MovingAverage(Declared):
    """``training.ema``.

    Attributes:
        decay: Share of an average that stays at a change of the parameters; the rest is the parameter's.
        warmup: Whether the n-th change has at most the decay (1 + n) / (10 + n), so that the beginning is soon
            forgotten.
        every: The averages follow after this many changes at once, by as much as after each of them, which
            costs less.
    """

    decay: AboveZero = 0.999
    warmup: Switch = False
    every: Count = 1

    def decay_at(self, change: int) -> float:
        """Return the decay of a change, counted from 1.

        >>> MovingAverage(decay=0.99, warmup=True).decay_at(8), MovingAverage(decay=0.99).decay_at(8)
        (0.5, 0.99)
        """
        return min(self.decay, (1 + change) / (10 + change)) if self.warmup else self.decay


def average_settings(training: Any) -> MovingAverage | None:
    """Return what a recipe's ``training`` says of moving averages; None where it has none.

    Raises:
        ConfigError: An entry makes no sense.
        UnknownNameError: There is no such entry.
    """
    if training.get("ema") is None:
        return None
    found = settings(MovingAverage, training, "ema")
    if found.decay >= 1:
        raise ConfigError(f"training.ema.decay must be a number above 0 and below 1, e.g. 0.999, got {found.decay!r}")
    return found


def average_texts(training: Any) -> dict[str, str]:
    """Return what the header of weights says of averages; nothing where there are none."""
    average = average_settings(training)
    return {} if average is None else {"moving_average": f"decay {average.decay:g}"}


def check_averages(checkpoint: Path, average: MovingAverage | None) -> None:
    """Check that a checkpoint has averages where a training has, and none where it has not.

    Args:
        checkpoint: What a training is to go on from.
        average: What the training's recipe says of averages.

    Raises:
        ConfigError: It is not so.
    """
    has_averages = ENTRY in describe_checkpoint(checkpoint)
    if has_averages == (average is not None):
        return
    raise ConfigError(
        f"{checkpoint} was written without moving averages, so they cannot go on; leave out training.ema, or train anew"
        f" in another --work-dir, perhaps with --weights {checkpoint}"
        if average is not None
        else f"{checkpoint} was written with moving averages of the weights, which are what is kept; pass training.ema"
        " as before, or train anew in another --work-dir"
    )


class MovingAverageHook(Hook):
    """Averages the parameters that learn; buffers, such as statistics of normalisations, are always the model's own.

    The averages change after a change of the parameters alone: not where gradients are accumulated, and not where
    float16 left a step out.

    Args:
        model: What is trained, on its device, with all that learns.
        average: How.

    Attributes:
        changes: How many changes there were.
    """

    priority = "HIGH"  # before a checkpoint is written

    def __init__(self, model: nn.Module, average: MovingAverage) -> None:
        self.average = average
        learning = {name: each for name, each in model.named_parameters() if each.requires_grad}
        self.names = list(learning)
        self._parameters: list[Tensor] = list(learning.values())
        self.averages = [parameter.detach().clone() for parameter in self._parameters]
        self.changes = 0
        logger.warning(
            "moving averages of the weights (training.ema, decay %g) are what is validated and kept", average.decay
        )

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.optim_wrapper.has_changed:
            self.follow()

    @torch.no_grad()
    def follow(self) -> None:
        """Let the averages follow the parameters after a change."""
        self.changes += 1
        if self.changes % self.average.every == 0:
            share = 1 - self.average.decay_at(self.changes) ** self.average.every
            torch._foreach_lerp_(self.averages, self._parameters, share)

    @torch.no_grad()
    def change_places(self) -> None:
        """Put the averages into the model and what it had into the averages' place, bit for bit."""
        for average, parameter in zip(self.averages, self._parameters, strict=True):
            had = parameter.clone()  # one at a time, and the memory stays where it is, which compiled code knows
            parameter.copy_(average)
            average.copy_(had)

    def before_val(self, runner: Runner) -> None:
        self.change_places()

    def after_val(self, runner: Runner) -> None:
        self.change_places()

    def after_train(self, runner: Runner) -> None:
        self.change_places()  # for good: the model that is left is the averaged one

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        kept = {name: average.cpu() for name, average in zip(self.names, self.averages, strict=True)}
        checkpoint[ENTRY] = {"changes": self.changes, "averages": kept}

    @torch.no_grad()
    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        entry = checkpoint.get(ENTRY)
        kept = entry.get("averages") if isinstance(entry, dict) else None
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(kept, dict) or type(changes) is not int or changes < 0:
            raise WeightsError("the checkpoint's moving averages are damaged; train anew in another --work-dir")
        for name, average in zip(self.names, self.averages, strict=True):
            found = kept.get(name)
            if not isinstance(found, Tensor) or found.shape != average.shape:
                raise WeightsError(
                    f"the checkpoint's moving averages lack {name}, or have it in another shape; train anew in"
                    " another --work-dir"
                )
            average.copy_(found)
        self.changes = changes
