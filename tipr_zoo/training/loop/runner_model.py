"""The retriever as MMEngine's Runner expects it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from tipr_zoo.distributed import mean_over_processes
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, NotFiniteError
from tipr_zoo.models.component_check import PAGE
from tipr_zoo.models.kept_promises import told_failures
from tipr_zoo.training.loop.global_batch import global_loss

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""The types that towers and heads can be computed in; the parameters are float32 in all cases."""


class RunnerModel(BaseModel):
    """Gives MMEngine the losses of a `DualEncoder`; their sum is minimised.

    Args:
        retriever: The model that is trained.
        precision: One of `PRECISIONS`. ``"bfloat16"`` and ``"float16"`` run the towers and heads under autocast;
            ``"float16"`` needs a scaler, see `tipr_zoo.training.loop.optim_wrapper`.

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
        """Compute the weighted losses of the batch of all processes, of which this process has some rows.

        Raises:
            ConfigError: The retriever gives something else than losses that it can learn by.
        """
        with self.autocast(batch["images"].device):
            parts = getattr(self.retriever, "objectives", None) or {}
            with told_failures(f"the loss of {type(self.retriever).__name__}", parts):
                losses = global_loss(self.retriever, batch)
        checked_losses = _checked(losses, self.retriever)
        return {f"loss_{key}": value for key, value in checked_losses.items()}

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return the autocast that towers and heads are computed under."""
        dtype = PRECISIONS[self.precision]
        return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)

    def parse_losses(self, losses: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """Return the sum that is minimised, and the numbers to log; they are the same in every process.

        Raises:
            NotFiniteError: A number is not finite; nothing has been changed by it yet.
        """
        total = torch.stack([value.float() for value in losses.values()]).sum()
        values = mean_over_processes(torch.stack([total, *losses.values()]).detach().float())
        logged = dict(zip(("loss", *losses), values.tolist(), strict=True))
        if not values.isfinite().all():
            raise NotFiniteError(logged)
        return total, logged


def _checked(losses: Any, retriever: object) -> Mapping[str, Tensor]:
    """Return the losses of a retriever, which may be a third party's, if they are scalars by key with a gradient."""
    said = f"the loss of {type(retriever).__name__}"
    if not isinstance(losses, Mapping) or not losses:
        raise ConfigError(f"{said} must be a dict of scalars, one at least, got {losses!r}; {PAGE}")
    for key, value in losses.items():
        if not isinstance(value, Tensor) or value.ndim:
            found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
            raise ConfigError(f"{said} must be a dict of scalars, and {key!r} is {found}; {PAGE}")
    if torch.is_grad_enabled() and not any(value.requires_grad for value in losses.values()):
        raise ConfigError(f"{said} depends on no parameter that learns, so there is nothing to train; {PAGE}")
    return losses
