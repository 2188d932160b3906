"""What happens around training steps: the learning rate, the progress bar, the history, and safe checkpoints."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm

from tipr_zoo.errors import DataError
from tipr_zoo.training.schedule import Schedule

PREFIX = "retriever."
"""What MMEngine's model adds to the names of the retriever's parameters."""


class LearningRateHook(Hook):
    """Sets the rate of every parameter group before each step.

    Args:
        schedule: The factor over time.
    """

    priority = "VERY_HIGH"

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        # Not runner.iter / len(...): a sampler's epochs may differ in length.
        done = batch_idx / len(runner.train_dataloader) if self.schedule.every_step else 0.0
        factor = self.schedule.factor(runner.epoch + done, runner.max_epochs)
        for group in runner.optim_wrapper.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


class RandomStateHook(Hook):
    """Seeds PyTorch before each step, so that what a head draws depends on the seed and the step alone, resumed or not.

    Args:
        seed: The training's seed.
    """

    priority = "VERY_HIGH"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        torch.manual_seed((self.seed % 2**31 << 32) + runner.iter)


class CheckpointContentsHook(Hook):
    """Keeps checkpoints to tensors and plain values, which ``torch.load(weights_only=True)`` reads.

    MMEngine stores its message hub as objects, and so cannot resume its own checkpoints with a torch that refuses to
    unpickle them. The parameters keep the names they have in the retriever, so that a checkpoint is a weights file.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        hub = checkpoint["message_hub"]
        plain = {key: value for key, value in hub["runtime_info"].items() if isinstance(value, (str, int, float))}
        checkpoint["message_hub"] = {
            "log_scalars": {},
            "runtime_info": plain,
            "resumed_keys": dict.fromkeys(plain, True),
        }
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name.removeprefix(PREFIX): value for name, value in state.items()}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {PREFIX + name: value for name, value in state.items()}


class ProgressHook(Hook):
    """A progress bar over all steps with the loss and the rate, and one line of JSON an epoch in ``history.jsonl``.

    Args:
        history: The file that the lines are appended to.
    """

    def __init__(self, history: Path) -> None:
        self.history = history
        self.sums: dict[str, float] = {}
        self.steps = 0
        self.started = 0.0
        self.bar: tqdm | None = None

    def before_train(self, runner: Runner) -> None:
        self.bar = tqdm(total=runner.max_iters, initial=runner.iter, desc="training", unit="step", dynamic_ncols=True)

    def before_train_epoch(self, runner: Runner) -> None:
        self.sums, self.steps, self.started = {}, 0, time.perf_counter()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        values = {key: float(value.detach()) for key, value in outputs.items()}
        for key, value in values.items():
            if not math.isfinite(value):
                raise DataError(f"{key} is {value} at step {runner.iter} of epoch {runner.epoch + 1}; lower the rate")
            self.sums[key] = self.sums.get(key, 0.0) + value
        self.steps += 1
        rate = max(group["lr"] for group in runner.optim_wrapper.optimizer.param_groups)
        self.bar.set_postfix(epoch=runner.epoch + 1, loss=f"{values['loss']:.3f}", lr=f"{rate:.1e}", refresh=False)
        self.bar.update()

    def after_train_epoch(self, runner: Runner) -> None:
        means = {key: round(total / self.steps, 5) for key, total in self.sums.items()}
        self._write({"epoch": runner.epoch + 1, **means, "seconds": round(time.perf_counter() - self.started, 1)})

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        rounded = {key: round(value, 3) for key, value in (metrics or {}).items()}
        self._write({"epoch": runner.epoch, "validation": rounded})
        self.bar.write(
            f"epoch {runner.epoch}: " + ", ".join(f"{k} {v:.2f}" for k, v in rounded.items()), file=sys.stderr
        )

    def after_train(self, runner: Runner) -> None:
        self.close()

    def close(self) -> None:
        """End the line of the bar; also where training ended with an error."""
        if self.bar is not None:
            self.bar.close()

    def _write(self, row: dict[str, Any]) -> None:
        with self.history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class TimeLimitHook(Hook):
    """Ends training at the end of an epoch once the time is up, as if it were the last: it is validated too.

    Args:
        minutes: Wall-clock minutes since the start of this run.
    """

    priority = "LOWEST"

    def __init__(self, minutes: float) -> None:
        self.seconds = 60 * minutes

    def before_train(self, runner: Runner) -> None:
        self.started = time.monotonic()

    def after_train_epoch(self, runner: Runner) -> None:
        if time.monotonic() - self.started > self.seconds:
            runner.train_loop.stop_training = True
            runner.train_loop.dynamic_intervals = [1]
