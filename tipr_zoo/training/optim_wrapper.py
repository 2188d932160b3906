"""The optimiser as MMEngine's Runner wants to see it: accumulation, clipping and the scaling of float16 losses."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor


class TrainingOptimWrapper(OptimWrapper):
    """MMEngine's wrapper, whose groups of accumulated steps end with an epoch, and which scales losses on any device.

    MMEngine's own goes on through the end of an epoch, so that a checkpoint would lack the gradients that wait, and its
    ``AmpOptimWrapper`` refuses CPUs.

    Args:
        optimizer: The optimiser.
        accumulate: Steps whose gradients are averaged before the parameters change.
        clip_norm: Largest norm of the gradient; None to leave it as it is.
        scaler: Scales losses whose gradients would vanish in float16; None for other precisions.

    Attributes:
        gradient_norm: That of the last step, before it was clipped; None where nothing is clipped.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        accumulate: int = 1,
        clip_norm: float | None = None,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        super().__init__(optimizer, accumulate, {"max_norm": clip_norm} if clip_norm else None)
        self.scaler = scaler
        self.gradient_norm: float | None = None

    def start_epoch(self, done: int, steps: int) -> None:
        """Count the steps of an epoch of which some are done; the last group may be smaller than the others."""
        self._inner_count, self._max_counts = done, steps
        self._remainder_counts = steps % self._accumulative_counts

    @property
    def has_pending_gradients(self) -> bool:
        """Whether there are gradients that the parameters have not been changed by."""
        return not self.should_update()

    def backward(self, loss: Tensor, **arguments: Any) -> None:
        """Gradients of the loss, scaled where there is a scaler."""
        super().backward(loss if self.scaler is None else self.scaler.scale(loss), **arguments)

    def step(self, **arguments: Any) -> None:
        """Change the parameters; gradients that are too large for float16 are left out, and the scale is lowered."""
        if self.scaler is None:
            super().step(**arguments)
            return
        self.scaler.unscale_(self.optimizer)
        if self.clip_grad_kwargs:
            self._clip_grad()
        self.scaler.step(self.optimizer, **arguments)
        self.scaler.update()

    def _clip_grad(self) -> None:
        """Called before a step; MMEngine's own notes the norm under the name of another run."""
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.gradient_norm = float(torch.nn.utils.clip_grad_norm_(parameters, **self.clip_grad_kwargs))

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's state, and the scaler's."""
        state = super().state_dict()
        return state if self.scaler is None else {**state, "loss_scaler": self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        state = dict(state_dict)
        scaler = state.pop("loss_scaler", None)
        if self.scaler is not None and scaler is not None:
            self.scaler.load_state_dict(scaler)
        super().load_state_dict(state)
