"""Stopping a training from outside: Ctrl-C, SIGTERM and a closed terminal leave a checkpoint."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.distributed import any_process, is_main_process, started_by_torchrun
from tipr_zoo.errors import TrainingInterrupted as TrainingInterrupted
from tipr_zoo.training.checkpoints.checkpoint_hook import CheckpointHook

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption(AbstractContextManager["Interruption"]):
    """Notes signals while a training runs, so that it can stop between two steps.

    A second Ctrl-C stops at once. Then there is no checkpoint of the steps since the last one. Not so under torchrun,
    which passes on the signal that the terminal has sent already. Signals that the shell ignores stay ignored.

    Attributes:
        received: The first signal; None as long as there was none.
        may_stop_at_once: Whether a checkpoint of the present state is there, as in validation.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.may_stop_at_once = False
        self._before: dict[int, Any] = {}
        self._process = os.getpid()

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def explain(self, otherwise: Exception) -> BaseException:
        """Return the error of a process whose peer is gone; after a signal, which all of them get, nothing is wrong."""
        if self.received is None:
            return otherwise
        name = signal.Signals(self.received).name
        return TrainingInterrupted(f"stopped by {name}, after another process; go on with --resume", self.received)

    def _note(self, number: int, frame: object) -> None:
        if os.getpid() != self._process:  # a process that loads pictures; the terminal signals it, too
            return
        is_second = self.received is not None and number == signal.SIGINT and not started_by_torchrun()
        if is_second or self.may_stop_at_once:
            raise TrainingInterrupted(f"stopped by {signal.Signals(number).name}; go on with --resume", number)
        if self.received is None:
            self.received = number
            if is_main_process():
                again = "; once more stops at once" if number == signal.SIGINT and not started_by_torchrun() else ""
                print(f"\n{signal.Signals(number).name}: stopping after this step{again}", file=sys.stderr)


class InterruptionHook(Hook):
    """Ends the training between two steps after a signal, with a checkpoint.

    Args:
        interruption: Has noted the signal.
        checkpoints: Writes the checkpoint.
        device: Where the model lives; the processes agree there on the step after which they stop.
    """

    priority = "LOWEST"

    def __init__(self, interruption: Interruption, checkpoints: CheckpointHook, device: torch.device) -> None:
        self.interruption, self.checkpoints, self.device = interruption, checkpoints, device

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        # Gradients that wait for their step are in no checkpoint, and the end of an epoch has its own.
        if runner.optim_wrapper.has_pending_gradients or batch_idx + 1 == len(runner.train_dataloader):
            return
        if any_process(self.interruption.received is not None, self.device):
            file = self.checkpoints.save_within_epoch(runner, batch_idx + 1)
            self._stop(file)

    def before_val(self, runner: Runner) -> None:
        self.interruption.may_stop_at_once = True
        if self.interruption.received is not None:
            self._stop(self.checkpoints.last)

    def after_val(self, runner: Runner) -> None:
        self.interruption.may_stop_at_once = False

    def after_train_epoch(self, runner: Runner) -> None:
        if any_process(self.interruption.received is not None, self.device):
            self._stop(self.checkpoints.last)

    def _stop(self, file: Path | None) -> None:
        number = self.interruption.received or signal.SIGTERM  # another process was told
        where = f"{file} holds everything so far; " if file else ""
        raise TrainingInterrupted(f"stopped by {signal.Signals(number).name}: {where}go on with --resume", number)
