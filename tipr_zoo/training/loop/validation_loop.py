"""Validation during training, as one of MMEngine's loops."""

from __future__ import annotations

from typing import Any

from mmengine.registry import LOOPS
from mmengine.runner import BaseLoop, Runner

from tipr_zoo.evaluation.embedding import evaluate


@LOOPS.register_module(name="TiprZooValidationLoop")
class ValidationLoop(BaseLoop):
    """Evaluates the retriever on a split.

    Args:
        runner: The runner.
        dataloader: Its ``dataset`` is the split. MMEngine wants a loader; none of its batches are drawn.
        evaluator: Unused; MMEngine wants one.
        rerank: How many of each caption's best pictures are ranked again; 0 for none.
    """

    def __init__(self, runner: Runner, dataloader: Any, evaluator: Any = None, rerank: int = 0) -> None:
        super().__init__(runner, dataloader)
        self.rerank = rerank

    def run(self) -> dict[str, float]:
        """Measure the retriever, and tell the hooks, one of which keeps the best weights."""
        self.runner.call_hook("before_val")
        self.runner.call_hook("before_val_epoch")
        model = self.runner.model.module if hasattr(self.runner.model, "module") else self.runner.model
        metrics = evaluate(model.retriever, self.dataloader.dataset, rerank=self.rerank)
        self.runner.call_hook("after_val_epoch", metrics=metrics)
        self.runner.call_hook("after_val")
        return metrics
