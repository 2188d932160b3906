"""The choice of the best epoch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from tipr_zoo.distributed import is_main_process
from tipr_zoo.errors import TrainingError
from tipr_zoo.training.checkpoints.best_weights import Best, find_best, holds, keep_apart, note_best, remove_left_over
from tipr_zoo.training.checkpoints.files import checkpoint_name


class BestWeightsHook(Hook):
    """Notes the epoch with the highest rank-1 so far; the first of equals counts.

    Its weights are not written where its checkpoint has them, see `tipr_zoo.training.checkpoints.best_weights`.

    Args:
        retriever: What is trained.
        work_dir: Where the note goes. What an interrupted run left there counts, too.
        left_out: Names that these weights are without; see `tipr_zoo.models.objective_setup`.
    """

    priority = "HIGH"  # before the history, whose entry says that the validation is done

    def __init__(self, retriever: nn.Module, work_dir: Path, left_out: Collection[str] = ()) -> None:
        self.retriever, self.work_dir, self.left_out = retriever, work_dir, left_out

    def before_train(self, runner: Runner) -> None:
        if is_main_process():
            remove_left_over(self.work_dir)

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        if not is_main_process() or not metrics:
            return
        before = find_best(self.work_dir)
        if before is not None and before.rank_1 >= metrics["R1"]:
            return
        best = Best(runner.epoch, metrics["R1"], self.work_dir / checkpoint_name(runner.epoch, 0))
        state = {name: value for name, value in self.retriever.state_dict().items() if name not in self.left_out}
        try:
            if holds(best.file, state):
                note_best(best)
            else:  # what was validated is not what is trained
                keep_apart(best, state)
        except OSError as error:
            file = getattr(error, "filename", None) or self.work_dir
            raise TrainingError(
                f"{file} cannot be written: {error.strerror or error}; make room, then go on with --resume"
            ) from error
