"""The share of soft labels over time, as TBPS-CLIP's code has it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch
from tipr_zoo.protocols import TrainingRun
from tipr_zoo.registries import HOOKS
from tipr_zoo_tbps_clip.normalised_itc import RATIO


@HOOKS.register_module()
class SoftLabelRamp:
    """Lets the ratio of soft labels rise from 0 during the first epoch, step by step; it then stays.

    Args:
        ratio: The ratio after the first epoch.

    Raises:
        ConfigError: `ratio` is not from 0 to 1.
    """

    brings_to_batch = (RATIO,)

    def __init__(self, ratio: float = 0.5) -> None:
        if not 0 <= ratio <= 1:
            raise ConfigError(f"ratio of SoftLabelRamp must be from 0 to 1, got {ratio!r}")
        self.ratio = ratio

    def before_step(self, run: TrainingRun, batch: Batch) -> Mapping[str, Tensor]:
        """Return the ratio of the step, the same for each pair: it depends on time alone, resumed or not."""
        share = 1.0 if run.epoch else min(1.0, run.step_in_epoch / run.epoch_length)
        return {RATIO: torch.full((len(batch["pids"]),), self.ratio * share)}
