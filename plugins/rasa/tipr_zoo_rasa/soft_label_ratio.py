"""The share of the momentum copy's own opinion in targets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tipr_zoo.features import Batch

ENTRY = "soft_label_ratio"
"""The batch entry, (B,), that stands before the model's own ratio; the core's hook `SoftLabelRamp` brings it."""


def soft_label_ratio(batch: Batch, retriever: Any) -> Tensor:
    """Return the ratio: (B,), where the batch brings it, or a scalar, the model's own."""
    if ENTRY in batch:
        return batch[ENTRY]
    return torch.tensor(float(retriever.soft_label_ratio), device=batch["pids"].device)
