"""Losses, rates and validation figures for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.errors import ConfigError
from tipr_zoo.training.loop.step_figures import step_figures, validation_figures

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardHook(Hook):
    """Writes the losses, learning rate and gradient norm of every step, and the figures of every validation.

    Args:
        folder: Where TensorBoard is to find them.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter  # not at the top: an extra, which may be absent
        except ImportError as error:
            raise ConfigError("TensorBoard is not installed; run: pip install 'tipr-zoo[tensorboard]'") from error
        self.folder, self.make_writer = folder, SummaryWriter

    def before_train(self, runner: Runner) -> None:
        # An interrupted run may have written steps that are done again now: those are left out.
        self.writer: SummaryWriter = self.make_writer(str(self.folder), purge_step=runner.iter)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        for key, value in step_figures(runner, outputs).items():
            self.writer.add_scalar(key, value, runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        for key, value in validation_figures(metrics).items():
            self.writer.add_scalar(key, value, runner.iter)

    def after_train(self, runner: Runner) -> None:
        self.close()

    def close(self) -> None:
        """Write what is still in memory."""
        if hasattr(self, "writer"):  # training may have ended before it began
            self.writer.close()
