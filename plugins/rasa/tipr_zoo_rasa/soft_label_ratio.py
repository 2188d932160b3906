"""The share of the momentum copy's own opinion in targets, and its rise in the first epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch
from tipr_zoo.protocols import TrainingRun
from tipr_zoo.registries import HOOKS

ENTRY = "soft_label_ratio"
"""The batch entry, (B,), that stands before the model's own ratio."""


def soft_label_ratio(batch: Batch, retriever: Any) -> Tensor:
    """Return the ratio: (B,), where the batch brings it, or a scalar, the model's own."""
    if ENTRY in batch:
        return batch[ENTRY]
    return torch.tensor(float(retriever.soft_label_ratio), device=batch["pids"].device)


@HOOKS.register_module()
class SoftLabelRamp:
    """Lets the soft-label ratio rise linearly, from 0 to the model's own, in the first epoch.

    Args:
        epochs: How many epochs it takes.

    Raises:
        ConfigError: `epochs` is no number above 0.
    """

    brings_to_batch = (ENTRY,)

    def __init__(self, epochs: float = 1.0) -> None:
        if isinstance(epochs, bool) or not isinstance(epochs, (int, float)) or epochs <= 0:
            raise ConfigError(f"epochs of SoftLabelRamp must be a number above 0, got {epochs!r}")
        self.epochs = epochs

    def before_step(self, run: TrainingRun, batch: Batch) -> Mapping[str, Tensor]:
        """Bring the ratio of this step for each pair."""
        model: Any = run.retriever
        done = run.step / (self.epochs * run.epoch_length)
        return {ENTRY: torch.full((len(batch["pids"]),), model.soft_label_ratio * min(1.0, done))}
