"""The learning rate over time: linear warm-up, then cosine, linear or constant."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tipr_zoo.errors import ConfigError

SHAPES = ("cosine", "linear", "constant")


@dataclass(frozen=True)
class Schedule:
    """The factor of the base learning rate as a function of time alone, so that resuming needs no state.

    Attributes:
        type: What follows the warm-up: ``"cosine"`` or ``"linear"`` down to 0, or ``"constant"``.
        warmup_epochs: Length of the linear warm-up.
        warmup_factor: Factor at its beginning.
        every_step: Whether the rate changes with every step, or once an epoch as in the official code.
    """

    type: str = "cosine"
    warmup_epochs: float = 5
    warmup_factor: float = 0.1
    every_step: bool = False

    def __post_init__(self) -> None:
        if self.type not in SHAPES:
            raise ConfigError(f"schedule type must be one of {', '.join(SHAPES)}, got {self.type!r}")

    def factor(self, epoch: float, max_epochs: float) -> float:
        """Factor of the base rate.

        Args:
            epoch: Epochs done, from 0; fractions count where `every_step` is set.
            max_epochs: Length of the training.
        """
        if not self.every_step:
            epoch = math.floor(epoch)
        if epoch < self.warmup_epochs:
            return self.warmup_factor + (1 - self.warmup_factor) * epoch / self.warmup_epochs
        progress = (epoch - self.warmup_epochs) / max(max_epochs - self.warmup_epochs, 1e-9)
        if self.type == "cosine":
            return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        return 1 - min(progress, 1.0) if self.type == "linear" else 1.0
