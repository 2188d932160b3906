"""What happens around training steps: the learning rate, the random state, and the time limit."""

from __future__ import annotations

import time
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.distributed import any_process
from tipr_zoo.training.loop.library_schedule import LibrarySchedule
from tipr_zoo.training.loop.schedule import Schedule

_MOST_STEPS = 2**27  # so that a seed of 31 bits, 16 moments and the step fit into a number of 64 bits


def seed_draws(seed: int, step: int, moment: int = 0) -> None:
    """Seed PyTorch's generators, so that what is drawn next depends on these numbers alone, resumed or not.

    Args:
        seed: The training's seed.
        step: Steps that are done, of all epochs.
        moment: 0 for the step itself, another number up to 15 for what happens around it.
    """
    torch.manual_seed((seed % 2**31 << 32) + moment * _MOST_STEPS + step)


class LearningRateHook(Hook):
    """Sets the learning rate of every parameter group before each step, and the momentum where a schedule changes it.

    Args:
        schedule: The factor over time.
    """

    priority = "VERY_HIGH"

    def __init__(self, schedule: Schedule | LibrarySchedule) -> None:
        self.schedule = schedule

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        momentum = None
        if isinstance(self.schedule, LibrarySchedule):
            factor = self.schedule.factor(runner.epoch, runner.iter)
            momentum = self.schedule.momentum(runner.epoch, runner.iter)
        else:
            # Not runner.iter / len(...): a sampler's epochs may differ in length.
            done = batch_idx / len(runner.train_dataloader) if self.schedule.every_step else 0.0
            factor = self.schedule.factor(runner.epoch + done, runner.max_epochs)
        for group in runner.optim_wrapper.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
            if momentum is not None and "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif momentum is not None:
                group["momentum"] = momentum


class RandomStateHook(Hook):
    """Seeds PyTorch before each step. So what a head draws depends on the seed and the step alone, resumed or not.

    Args:
        seed: The training's seed.
    """

    priority = "VERY_HIGH"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        seed_draws(self.seed, runner.iter)


class TimeLimitHook(Hook):
    """Ends training at the end of the epoch in which the time is up; that epoch is validated like a last one.

    Args:
        minutes: Wall-clock minutes since the start of this run.
        device: Where the processes agree on it.
    """

    priority = "LOWEST"

    def __init__(self, minutes: float, device: torch.device) -> None:
        self.seconds, self.device = 60 * minutes, device

    def before_train(self, runner: Runner) -> None:
        self.started = time.monotonic()

    def after_train_epoch(self, runner: Runner) -> None:
        if any_process(time.monotonic() - self.started > self.seconds, self.device):
            runner.train_loop.end_with_epoch()
