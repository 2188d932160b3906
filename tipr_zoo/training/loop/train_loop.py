"""The loop over epochs and steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor, nn

from tipr_zoo.distributed import any_process
from tipr_zoo.errors import NotFiniteError
from tipr_zoo.training.checkpoints.history import validation_of
from tipr_zoo.training.loop.not_finite import not_finite_error


@LOOPS.register_module(name="TiprZooTrainLoop")
class TrainLoop(EpochBasedTrainLoop):
    """MMEngine's loop. It can also begin within an epoch, and after a validation that did not take place.

    Attributes:
        first_step: Steps of the next epoch that were done before the run was resumed.
    """

    first_step = 0
    stop_training: bool

    def run(self) -> nn.Module:
        """Train to the last epoch, or until a hook stops the training."""
        self.runner.call_hook("before_train")
        is_at_end_of_epoch = self._epoch and not self.first_step
        if is_at_end_of_epoch and self._validation_is_due() and not self._is_validated():
            self.runner.val_loop.run()
        self._agree_on_the_end()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._agree_on_the_end()
            self._decide_current_val_interval()
            if self._validation_is_due():
                self.runner.val_loop.run()
                self._agree_on_the_end()
        self.runner.call_hook("after_train")
        return self.runner.model

    def run_epoch(self) -> None:
        """Go through the steps of one epoch that are not done yet."""
        first, self.first_step = self.first_step, 0
        self.runner.call_hook("before_train_epoch")
        self.dataloader.batch_sampler.start_at(first)
        self.runner.optim_wrapper.start_epoch(first, len(self.dataloader))
        self.runner.model.train()
        for step, batch in enumerate(self.dataloader, first):
            self.run_iter(step, batch)
        self.runner.call_hook("after_train_epoch")
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Mapping[str, Tensor]) -> None:
        """Do one step.

        Raises:
            TrainingError: A loss or a gradient is not finite; the message says where it comes from.
        """
        try:
            super().run_iter(idx, data_batch)
        except NotFiniteError as error:
            raise not_finite_error(self.runner, idx, data_batch, error) from error

    def _agree_on_the_end(self) -> None:
        """End the training in every process where one of them is to end it; the others would wait for it forever."""
        self.stop_training = any_process(self.stop_training, next(self.runner.model.parameters()).device)

    def end_with_epoch(self) -> None:
        """End the training with this epoch, which is validated as a last one is."""
        self.stop_training = True

    def _is_validated(self) -> bool:
        return bool(validation_of(Path(self.runner.work_dir), self._epoch))

    def validates_after(self, epoch: int) -> bool:
        """Tell whether an epoch, counted from 1, is validated."""
        is_end: Any = self.stop_training or epoch % self.val_interval == 0 or epoch == self._max_epochs
        return self.runner.val_loop is not None and bool(is_end)

    def _validation_is_due(self) -> bool:
        return self.validates_after(self._epoch)
