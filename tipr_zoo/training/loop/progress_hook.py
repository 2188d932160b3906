"""The progress of a training: a bar, and the history."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.distributed import is_main_process, process_count
from tipr_zoo.terminal.progress_bar import ProgressBar
from tipr_zoo.training.checkpoints.history import DIGITS, append_history, forget_after


class ProgressHook(Hook):
    """Shows a progress bar over all steps with loss, rate, pairs a second and time left, and writes the history.

    Args:
        work_dir: Where the history goes.
        figures: What the recipe's hooks note of an epoch, by name; it goes into the history, too.
    """

    def __init__(self, work_dir: Path, figures: Mapping[str, float]) -> None:
        self.work_dir, self.figures = work_dir, figures
        self.sums: dict[str, float] = {}
        self.steps = 0
        self.seconds = 0.0
        self.resumed: dict[str, Any] | None = None
        self.bar: ProgressBar = ProgressBar(disable=True)

    def before_train(self, runner: Runner) -> None:
        if is_main_process():
            forget_after(self.work_dir, runner.epoch)
        self.bar = ProgressBar(
            total=runner.max_iters,
            initial=runner.iter,
            desc="training",
            unit="step",
            dynamic_ncols=True,
            disable=not is_main_process(),
        )

    def before_train_epoch(self, runner: Runner) -> None:
        resumed = self.resumed or {"sums": {}, "steps": 0, "seconds": 0.0}
        self.sums, self.steps, self.seconds = dict(resumed["sums"]), resumed["steps"], resumed["seconds"]
        self.resumed = None
        self.at = time.perf_counter()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        for key, value in outputs.items():
            self.sums[key] = self.sums.get(key, 0.0) + value
        self.steps += 1
        now = time.perf_counter()
        speed = process_count() * len(data_batch["pids"]) / max(now - self.at, 1e-9)
        self.seconds, self.at = self.seconds + now - self.at, now
        rate = max(group["lr"] for group in runner.optim_wrapper.optimizer.param_groups)
        self.bar.set_postfix_str(
            f"epoch {runner.epoch + 1}, loss {outputs['loss']:.3f}, lr {rate:.1e}, {speed:.0f} pairs/s", refresh=False
        )
        self.bar.update()

    def after_train_epoch(self, runner: Runner) -> None:
        means = {key: round(total / self.steps, 5) for key, total in self.sums.items()}
        if is_main_process():
            noted = {key: round(value, 5) for key, value in self.figures.items() if key not in means}
            row = {"epoch": runner.epoch + 1, **means, **noted, "seconds": round(self.seconds, 1)}
            append_history(self.work_dir, row)

        if is_main_process() and (left_out := runner.optim_wrapper.left_out):
            self.bar.write(
                f"epoch {runner.epoch + 1}: {left_out} of {len(runner.train_dataloader)} steps changed nothing, since"
                " their gradients were too large for float16; a few at the start are usual",
                file=sys.stderr,
            )

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        rounded = {key: round(value, DIGITS) for key, value in (metrics or {}).items()}
        if is_main_process():
            append_history(self.work_dir, {"epoch": runner.epoch, "validation": rounded})
            figures = ", ".join(f"{key} {value:.2f}" for key, value in rounded.items())
            self.bar.write(f"epoch {runner.epoch}: {figures}", file=sys.stderr)
        self.at = time.perf_counter()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        # Within an epoch the checkpoint holds what is known of it so far; at its end the history does.
        checkpoint["progress"] = {"sums": self.sums, "steps": self.steps, "seconds": self.seconds}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        if checkpoint.get("tipr_zoo", {}).get("step_in_epoch"):
            self.resumed = checkpoint.get("progress")

    def after_train(self, runner: Runner) -> None:
        self.close()

    def close(self) -> None:
        """End the line of the bar, also where training ended with an error."""
        self.bar.close()
