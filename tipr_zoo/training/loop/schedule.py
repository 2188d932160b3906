"""The learning rate over time: linear warm-up, then a shape by name."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.value_kinds import NumberFromZero, NumbersFromZero

SHAPES = ("cosine", "linear", "step", "exp", "poly", "constant")
"""The shapes that can follow the warm-up: those of the official code, and ``"constant"``."""


@dataclass(frozen=True)
class Schedule(Declared):
    """The factor of the base learning rate as a function of time alone, so that resuming needs no state.

    Let t go from 0 at the end of the warm-up to 1 at the end of the training. Then the factor is
    (1 + cos(pi t)) / 2 for ``"cosine"``, 1 - t for ``"linear"``, power^t for ``"exp"``, power^(1 - t) for ``"poly"``,
    `gamma` to the number of milestones that are over for ``"step"``, and 1 for ``"constant"``. With a `final_factor` f
    it is f + (1 - f) times that: ``"cosine"`` and ``"linear"`` end at f.

    Attributes:
        type: One of `SHAPES`.
        warmup_epochs: Length of the linear warm-up, in epochs.
        warmup_factor: Factor at its beginning.
        every_step: Whether the rate changes with every step, or once an epoch as in the official code.
        milestones: The epochs at which ``"step"`` takes a step, counted from 0.
        gamma: What each of these steps multiplies the rate by.
        power: The base of ``"exp"`` and ``"poly"``.
        final_factor: What the factor after the warm-up stays above.

    Raises:
        UnknownNameError: There is no such shape.
        ConfigError: `milestones` is no list of numbers, `gamma` or `power` is no number above 0, or `final_factor` is
            above 1.

    Example:
        >>> schedule = Schedule(type="linear", warmup_epochs=0)
        >>> schedule.factor(0, max_epochs=4), schedule.factor(3, max_epochs=4)
        (1.0, 0.25)
    """

    type: str = "cosine"
    warmup_epochs: NumberFromZero = 5
    warmup_factor: NumberFromZero = 0.1
    every_step: bool = False
    milestones: NumbersFromZero = (20, 50)
    gamma: NumberFromZero = 0.1
    power: NumberFromZero = 0.9
    final_factor: NumberFromZero = 0.0

    def __post_init__(self) -> None:
        if self.type not in SHAPES:
            raise unknown_name("schedule type", str(self.type), SHAPES)
        if not isinstance(self.milestones, (list, tuple)) or not all(map(_is_number, self.milestones)):
            raise ConfigError(f"schedule milestones must be a list of epochs, got {self.milestones!r}")
        for name in ("gamma", "power"):
            if not _is_number(value := getattr(self, name)) or value <= 0:
                raise ConfigError(f"schedule {name} must be a number above 0, got {value!r}")
        if self.final_factor > 1:
            raise ConfigError(f"schedule final_factor must be from 0 to 1, got {self.final_factor!r}")

    def factor(self, epoch: float, max_epochs: float) -> float:
        """Return the factor of the base rate.

        Args:
            epoch: Epochs done, from 0; fractions count where `every_step` is set.
            max_epochs: Length of the training, in epochs.
        """
        if not self.every_step:
            epoch = math.floor(epoch)
        if epoch < self.warmup_epochs:
            return self.warmup_factor + (1 - self.warmup_factor) * epoch / self.warmup_epochs
        progress = min((epoch - self.warmup_epochs) / max(max_epochs - self.warmup_epochs, 1e-9), 1.0)
        shape = self._shape(epoch, progress)
        return self.final_factor + (1 - self.final_factor) * shape if self.final_factor else shape

    def _shape(self, epoch: float, progress: float) -> float:
        """Return the factor after the warm-up, from 1; `progress` goes from 0 to 1."""
        match self.type:
            case "cosine":
                return 0.5 * (1 + math.cos(math.pi * progress))
            case "linear":
                return 1 - progress
            case "exp":
                return self.power**progress
            case "poly":
                # The official code has base and exponent the other way round: the rate drops to `power`, then rises.
                return self.power ** (1 - progress)
            case "step":
                return self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
            case _:
                return 1.0


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
