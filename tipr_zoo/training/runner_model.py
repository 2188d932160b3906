"""The retriever as MMEngine's Runner wants to see it."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseModel
from torch import Tensor

from tipr_zoo.dual_encoder import DualEncoder


class RunnerModel(BaseModel):
    """Gives MMEngine the losses of a `DualEncoder`; their sum is minimised.

    Args:
        retriever: The model that is trained.
    """

    def __init__(self, retriever: DualEncoder) -> None:
        super().__init__()
        self.retriever = retriever

    def forward(self, mode: str = "loss", **batch: Tensor) -> dict[str, Any]:
        """The weighted losses of a batch; MMEngine sums the entries whose names contain ``loss``."""
        return {f"loss_{key}": value for key, value in self.retriever.loss(batch).items()}
