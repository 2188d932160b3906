"""The way of linear products of a training, which a resumed one keeps, since another way gives other last bits."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.distributed import mean_over_processes
from tipr_zoo.machine import linear_products

_ENTRY = "linear_products"


class LinearProductsHook(Hook):
    """Takes one way in all processes, and writes it into checkpoints."""

    priority = "LOW"  # before the checkpoint is written

    def before_train(self, runner: Runner) -> None:
        is_onednn = torch.tensor(
            float(linear_products.way() == "onednn"), device=next(runner.model.parameters()).device
        )
        linear_products.take("onednn" if mean_over_processes(is_onednn) == 1 else "torch")

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        checkpoint["tipr_zoo"] = {**checkpoint.get("tipr_zoo", {}), _ENTRY: linear_products.way()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        linear_products.take(checkpoint.get("tipr_zoo", {}).get(_ENTRY, "torch"))  # older ones knew no other way

    def close(self) -> None:
        """Let the timing decide again. The training calls this at its end, whatever happened."""
        linear_products.take(None)
