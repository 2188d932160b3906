"""The weights of the best epoch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from tipr_zoo.distributed import is_main_process
from tipr_zoo.errors import TrainingError
from tipr_zoo.weights.header import read_metadata
from tipr_zoo.weights.tensors import write_weights

BEST_WEIGHTS = "best.safetensors"
"""The file in a work dir that holds the weights of the best epoch so far."""


class BestWeightsHook(Hook):
    """Writes the weights after a validation with the highest rank-1 so far; the first of equals counts.

    Args:
        retriever: What is trained.
        work_dir: Where `BEST_WEIGHTS` goes. What an interrupted run left there counts, too.
        left_out: Names that these weights are without; see `tipr_zoo.models.objective_setup`.
    """

    priority = "HIGH"  # before the history, whose entry says that the validation is done

    def __init__(self, retriever: nn.Module, work_dir: Path, left_out: Collection[str] = ()) -> None:
        self.retriever, self.file, self.left_out = retriever, work_dir / BEST_WEIGHTS, left_out

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        if not is_main_process() or not metrics:
            return
        best = best_epoch(self.file)
        if best is not None and best[1] >= metrics["R1"]:
            return
        about = {"epoch": str(runner.epoch), "R1": repr(metrics["R1"])}
        try:
            state = self.retriever.state_dict().items()
            write_weights({name: value for name, value in state if name not in self.left_out}, self.file, about)
        except OSError as error:
            raise TrainingError(
                f"{self.file} cannot be written: {error.strerror or error}; make room, then go on with --resume"
            ) from error


def best_epoch(file: Path) -> tuple[int, float] | None:
    """Return the epoch, from 1, whose weights `BEST_WEIGHTS` holds, and its rank-1; None without such a file."""
    about = read_metadata(file) if file.is_file() else {}
    try:
        return int(about["epoch"]), float(about["R1"])
    except (KeyError, TypeError, ValueError):  # no such file, or not written by this hook
        return None
