"""A few steps of a training that are done and forgotten: their time, their memory, and the operations of a pair."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tipr_zoo.distributed import as_one_process
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.machine.linear_products import usual_products
from tipr_zoo.machine.memory_use import PeakMemory
from tipr_zoo.training.loop.progress_hook import ProgressHook

FEWEST, MOST, LONG_ENOUGH = 2, 6, 5.0
"""Steps that are done at least and at most, and seconds after which they are enough. The first one is not counted."""

COUNTED = 8
"""Pairs whose operations are counted: those of one pair hardly depend on how many there are."""


@dataclass(frozen=True)
class MeasuredStep:
    """What a step costs.

    Attributes:
        seconds: Of a step without loading its pairs; the median.
        loading_seconds: Of loading its pairs in one process; the median.
        steps: How many steps were done.
        memory: The most memory, in bytes, that of the model included.
        memory_of: What was counted.
    """

    seconds: float
    loading_seconds: float
    steps: int
    memory: int
    memory_of: str


class _Enough(Exception):  # noqa: N818 - no error, but the end of the steps that are done
    """Ends the steps of a dry run before their epoch ends, which would write something."""


class _Measure(Hook):
    """Takes the time of steps and of what loads their pairs, and ends the training after a few."""

    priority = "VERY_LOW"

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.steps: list[float] = []
        self.loading: list[float] = []
        self.memory = PeakMemory(device)

    def before_train_epoch(self, runner: Runner) -> None:
        self.memory.__enter__()
        self.began = self.ended = time.perf_counter()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.step_began = time.perf_counter()
        self.loading.append(self.step_began - self.ended)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.ended = time.perf_counter()
        self.steps.append(self.ended - self.step_began)
        count = len(self.steps)
        is_enough = count >= MOST or (count >= FEWEST and self.ended - self.began > LONG_ENOUGH)
        if is_enough or batch_idx + 1 == len(runner.train_dataloader):
            raise _Enough


def measured_step(runner: Runner, model: nn.Module, device: torch.device) -> MeasuredStep:
    """Do a few steps.

    Args:
        runner: The runner, with a work dir that is removed.
        model: What is trained.
        device: Where.
    """
    measure = _Measure(device)
    runner.register_hook(measure)
    for hook in [hook for hook in runner.hooks if isinstance(hook, ProgressHook)]:
        runner.hooks.remove(hook)
    try:
        with redirect_stdout(sys.stderr):
            runner.train()
    except _Enough:
        pass
    finally:
        measure.memory.__exit__()
    counted = slice(1 if len(measure.steps) > 1 else 0, None)
    is_gpu = device.type == "cuda"  # where the model's own memory is counted, too
    own = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    return MeasuredStep(
        statistics.median(measure.steps[counted]),
        statistics.median(measure.loading[counted]),
        len(measure.steps),
        measure.memory.bytes + (0 if is_gpu else own),
        measure.memory.about,
    )


def pair_flops(runner: Runner, model: DualEncoder) -> tuple[int | None, int | None]:
    """Count the operations of a pair, forward, and forward and backward.

    Args:
        runner: The runner, whose first batch is taken.
        model: What is trained.

    Returns:
        Both; None where they cannot be counted.
    """
    batch = next(iter(runner.train_dataloader))
    device = next(model.parameters()).device
    few = {name: value[:COUNTED].to(device) for name, value in batch.items() if isinstance(value, Tensor)}
    counter = FlopCounterMode(display=False)
    try:
        # PyTorch counts the operations that it knows: not those of oneDNN, nor of every kind of attention.
        with as_one_process(), usual_products(), sdpa_kernel(SDPBackend.MATH), counter:
            losses: Mapping[str, Tensor] = model.loss(few)
            forward = counter.get_total_flops()
            torch.stack([value.float() for value in losses.values()]).sum().backward()
    except Exception:  # what a third party's losses ask of a batch, or a way to compute that cannot be watched
        return None, None
    finally:
        model.zero_grad(set_to_none=True)
    pairs = len(few["pids"])
    return forward // pairs, counter.get_total_flops() // pairs
