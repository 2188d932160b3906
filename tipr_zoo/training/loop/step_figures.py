"""The numbers of one step that TensorBoard and Weights & Biases are given."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.runner import Runner


def step_figures(runner: Runner, outputs: Mapping[str, float]) -> dict[str, float]:
    """Return the losses, the largest learning rate and the gradient norm of the step at hand, by name.

    Args:
        runner: The runner, after the step.
        outputs: The losses by key.
    """
    figures = {f"train/{key}": float(value) for key, value in outputs.items()}
    figures["train/lr"] = max(group["lr"] for group in runner.optim_wrapper.optimizer.param_groups)
    if (norm := runner.optim_wrapper.gradient_norm) is not None:
        figures["train/grad_norm"] = norm
    return figures


def validation_figures(metrics: Mapping[str, float] | None) -> dict[str, float]:
    """Return the figures of a validation, by name."""
    return {f"validation/{key}": value for key, value in (metrics or {}).items()}
