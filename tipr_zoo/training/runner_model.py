"""The retriever as MMEngine's Runner wants to see it."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError

PRECISIONS = ("float32", "bfloat16")


class RunnerModel(BaseModel):
    """Gives MMEngine the losses of a `DualEncoder`; their sum is minimised.

    Args:
        retriever: The model that is trained.
        precision: ``"float32"``, or ``"bfloat16"`` to run the towers and heads under autocast.

    Raises:
        ConfigError: There is no such precision.
    """

    def __init__(self, retriever: DualEncoder, precision: str = "float32") -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise ConfigError(f"training.precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
        self.retriever = retriever
        self.precision = precision

    def forward(self, mode: str = "loss", **batch: Tensor) -> dict[str, Any]:
        """The weighted losses of a batch; MMEngine sums the entries whose names contain ``loss``."""
        device = batch["images"].device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"):
            losses = self.retriever.loss(batch)
        return {f"loss_{key}": value for key, value in losses.items()}
