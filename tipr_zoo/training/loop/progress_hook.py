"""The progress of a training: a bar, and the history."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.distributed import is_main_process, process_count
from tipr_zoo.terminal.progress_bar import ProgressBar
from tipr_zoo.training.checkpoints.history import DIGITS, append_history, forget_after
from tipr_zoo.training.loop.epoch_figures import EpochFigures, RuleRates


class ProgressHook(Hook):
    """Shows a progress bar over all steps with loss, rate, pairs a second and time left, and writes the history.

    Args:
        work_dir: Where the history goes.
        note: What else each of its lines is given to.
        noted: What the recipe's hooks note, by name; it goes into the next line of the history, and is emptied.
    """

    def __init__(
        self, work_dir: Path, note: Callable[[str], None] | None = None, noted: dict[str, float | None] | None = None
    ) -> None:
        self.work_dir, self.note = work_dir, note or (lambda line: None)
        self.noted: dict[str, float | None] = {} if noted is None else noted
        self.figures = EpochFigures()
        self.resumed: dict[str, Any] | None = None
        self.bar: ProgressBar = ProgressBar(disable=True)

    def before_train(self, runner: Runner) -> None:
        if is_main_process():
            forget_after(self.work_dir, runner.epoch)
        self.rates = RuleRates(runner.optim_wrapper.optimizer.param_groups)
        self.bar = ProgressBar(
            total=runner.max_iters,
            initial=runner.iter,
            desc="training",
            unit="step",
            dynamic_ncols=True,
            disable=not is_main_process(),
        )

    def before_train_epoch(self, runner: Runner) -> None:
        self.figures, self.resumed = EpochFigures(self.resumed), None
        self.at = time.perf_counter()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        now = time.perf_counter()
        seconds, self.at = now - self.at, now
        rates = self.rates.now()
        norm = None if runner.optim_wrapper.has_pending_gradients else runner.optim_wrapper.gradient_norm
        self.figures.add(outputs, rates, norm, seconds)
        speed = process_count() * len(data_batch["pids"]) / max(seconds, 1e-9)
        self.bar.set_postfix_str(
            f"epoch {runner.epoch + 1}, loss {outputs['loss']:.3f}, lr {max(rates.values()):.1e}, {speed:.0f} pairs/s",
            refresh=False,
        )
        self.bar.update()

    def after_train_epoch(self, runner: Runner) -> None:
        noted = self._taken_notes()
        if not is_main_process():
            return
        row = self.figures.row(runner.epoch + 1) | noted
        append_history(self.work_dir, row)
        self.note(_in_words(row))
        if left_out := runner.optim_wrapper.left_out:
            self._say(
                f"epoch {runner.epoch + 1}: {left_out} of {len(runner.train_dataloader)} steps changed nothing, since"
                " their gradients were too large for float16; a few at the start are usual"
            )

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        rounded = {key: round(value, DIGITS) for key, value in (metrics or {}).items()}
        noted = self._taken_notes()
        if is_main_process():
            append_history(self.work_dir, {"epoch": runner.epoch, "validation": rounded} | noted)
            self._say(f"epoch {runner.epoch}: " + ", ".join(f"{key} {value:.2f}" for key, value in rounded.items()))
        self.at = time.perf_counter()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        # Within an epoch the checkpoint holds what is known of it so far; at its end the history does.
        checkpoint["progress"] = self.figures.state()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        if checkpoint.get("tipr_zoo", {}).get("step_in_epoch"):
            self.resumed = checkpoint.get("progress")

    def after_train(self, runner: Runner) -> None:
        self.close()

    def close(self) -> None:
        """End the line of the bar, also where training ended with an error."""
        self.bar.close()

    def _taken_notes(self) -> dict[str, float | None]:
        noted = {key: None if value is None else round(value, 5) for key, value in self.noted.items()}
        self.noted.clear()
        return noted

    def _say(self, line: str) -> None:
        self.bar.write(line, file=sys.stderr)
        self.note(line)


def _in_words(row: Mapping[str, Any]) -> str:
    """Return the losses, the rates and the gradient norms of an epoch in one line."""
    parts = {key.removeprefix("loss_"): value for key, value in row.items() if key.startswith("loss_")}
    words = f"epoch {row['epoch']}: loss {row['loss']:.4g}{_parts(parts)}"
    words += f", rate {row['lr']:.3g}{_parts(row.get('lr_by_rule', {}))}"
    if "grad_norm" in row:
        words += f", gradient norm {row['grad_norm']:.3g}, at most {row['grad_norm_largest']:.3g}"
    return f"{words}, {row['seconds']:.1f} s"


def _parts(values: Mapping[str, float]) -> str:
    """Return several numbers by name in brackets; nothing for one alone."""
    return f" ({', '.join(f'{name} {value:.3g}' for name, value in values.items())})" if len(values) > 1 else ""
