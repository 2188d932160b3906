"""The optimiser as MMEngine's Runner expects it: accumulation, clipping, and the scaling of float16 losses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from tipr_zoo.errors import ConfigError, NotFiniteError

SMALLEST_SCALE = 1e-4
"""The smallest factor of a float16 loss: gradients that are not finite even with it are not so by their size."""


class TrainingOptimWrapper(OptimWrapper):
    """MMEngine's wrapper, with groups of accumulated steps that end with an epoch, and scaled losses on any device.

    MMEngine's own groups go on over the end of an epoch, so a checkpoint would lack the gradients that wait. Its
    ``AmpOptimWrapper`` refuses CPUs.

    Args:
        optimizer: The optimiser.
        accumulate: Steps whose gradients are averaged before the parameters change.
        clip_norm: Largest norm of the gradient; None to leave it as it is.
        scaler: Scales losses whose gradients would vanish in float16; None for other precisions.

    Attributes:
        gradient_norm: That of the last step, before it was clipped; None before the first.
        left_out: Steps of this epoch that changed nothing, because a gradient was too large for float16.
        has_changed: Whether the last step changed the parameters.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        accumulate: int = 1,
        clip_norm: float | None = None,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        super().__init__(optimizer, accumulate)
        self.clip_norm, self.scaler = clip_norm, scaler
        self.gradient_norm: float | None = None
        self.left_out = 0
        self.has_changed = False

    def start_epoch(self, done: int, steps: int) -> None:
        """Count the steps of an epoch, of which `done` are done; the last group may be smaller than the others."""
        self._inner_count, self._max_counts = done, steps
        self._remainder_counts = steps % self._accumulative_counts
        self.left_out = 0

    @property
    def has_pending_gradients(self) -> bool:
        """Whether there are gradients that have not changed the parameters yet."""
        return not self.should_update()

    def backward(self, loss: Tensor, **arguments: Any) -> None:
        """Compute the gradients of the loss, scaled where there is a scaler."""
        self.has_changed = False
        super().backward(loss if self.scaler is None else self.scaler.scale(loss), **arguments)

    def step(self, **arguments: Any) -> None:
        """Change the parameters. Where gradients are too large for float16, leave the step out and lower the scale.

        Raises:
            NotFiniteError: A gradient is not finite, and no scale would change that. No parameter was changed by it.
        """
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        gradients = {name: gradient for name, gradient in self._named_gradients() if gradient is not None}
        norm = torch.nn.utils.get_total_norm(gradients.values())
        self.gradient_norm = float(norm)
        self.has_changed = math.isfinite(self.gradient_norm)
        if not self.has_changed:
            names = [name for name, value in gradients.items() if not value.isfinite().all()]
            # Without names, the norm alone overflows: gradients are beyond 1e19 then, and a scaler would let them pass.
            if self.scaler is None or self.scaler.get_scale() < SMALLEST_SCALE or not names:
                raise NotFiniteError({}, names)
            self.left_out += 1
        elif self.clip_norm is not None:
            parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
            torch.nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, norm)
        if self.scaler is None:
            self.optimizer.step(**arguments)
        else:
            self.scaler.step(self.optimizer, **arguments)
            self.scaler.update()

    def _named_gradients(self) -> Iterator[tuple[str, Tensor | None]]:
        for group in self.optimizer.param_groups:
            for index, parameter in enumerate(group["params"]):
                yield group.get("name", f"parameter {index}"), parameter.grad

    def state_dict(self) -> dict[str, Any]:
        """Return the optimiser's state, and the scaler's. Options that are no plain values are the recipe's alone."""
        state = _without_types(super().state_dict())
        return state if self.scaler is None else {**state, "loss_scaler": self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, except rates and other options: those are the present recipe's.

        Raises:
            ConfigError: It is of a training in which other parameters learn.
        """
        state = dict(state_dict)
        scaler = state.pop("loss_scaler", None)
        if self.scaler is not None and scaler is not None:
            self.scaler.load_state_dict(scaler)
        own = [{key: value for key, value in group.items() if key != "params"} for group in self.optimizer.param_groups]
        _check_same_parameters(state["param_groups"], own)
        # Before and not after: an optimiser that is handed its state may look at its options.
        state["param_groups"] = [
            {**group, **options} for group, options in zip(state["param_groups"], own, strict=True)
        ]
        super().load_state_dict(state)


def _without_types(value: Any) -> Any:
    """Return a copy of a state without the types of numbers, which some optimisers have among their options."""
    if isinstance(value, dict):
        return {key: _without_types(each) for key, each in value.items() if not isinstance(each, torch.dtype)}
    return [_without_types(each) for each in value] if isinstance(value, list) else value


def _check_same_parameters(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> None:
    """Raise ConfigError where the groups of a checkpoint are not those of this training."""
    names = [[str(group.get("name")) for group in groups] for groups in (before, now)]
    if names[0] == names[1]:
        return
    for one, other, said in (
        (*names, "learnt before, and is frozen now"),
        (*names[::-1], "was frozen, and learns now"),
    ):
        if only := [name for name in one if name not in other]:
            more = f" (and {len(only) - 1} more)" if len(only) > 1 else ""
            raise ConfigError(
                f"the checkpoint is of a training in which other parameters learn: {only[0]} {said}{more}; let the same"
                " ones learn (training.parameter_patterns), or train anew in another --work-dir with --weights"
                " CHECKPOINT"
            )
    raise ConfigError("the checkpoint is of a training whose parameters are in another order; train anew")
