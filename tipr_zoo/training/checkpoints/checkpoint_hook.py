"""Checkpoints: written whole or not at all, and made of plain values."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.distributed import is_main_process
from tipr_zoo.errors import TrainingError, WriteError
from tipr_zoo.machine.whole_file import remove_parts, whole_file
from tipr_zoo.training.checkpoints.best_weights import keep_before_removal
from tipr_zoo.training.checkpoints.files import checkpoint_files, checkpoint_name

PREFIX = "retriever."
"""What MMEngine's model adds to the names of the retriever's parameters."""

KEPT = 2
"""How many checkpoints stay: the last one, and the one before it in case the last is damaged."""


class CheckpointHook(Hook):
    """Writes a checkpoint after every epoch, and within an epoch where a training is interrupted.

    It holds tensors and plain values, and is read without running anything. MMEngine's own checkpoints hold objects,
    which only code brings back. The parameters keep the names they have in the retriever, so a checkpoint is a weights
    file, too.

    Args:
        work_dir: Where checkpoints go.
        fingerprint: What the training depends on, see `tipr_zoo.training.checkpoints.fingerprint`.
        left_out: Names that the weights of the best epoch are without.

    Attributes:
        last: The last one written; None before the first.
    """

    priority = "VERY_LOW"

    def __init__(self, work_dir: Path, fingerprint: dict[str, Any], left_out: Collection[str] = ()) -> None:
        self.work_dir, self.fingerprint, self.left_out = work_dir, fingerprint, left_out
        self.last: Path | None = None
        self._step_in_epoch = 0

    def before_train(self, runner: Runner) -> None:
        if is_main_process():
            remove_parts(self.work_dir, untouched_for=0)  # the work dir is locked: whoever wrote them was killed

    def after_train_epoch(self, runner: Runner) -> None:
        self._save(runner, runner.epoch + 1, 0, runner.iter)

    def save_within_epoch(self, runner: Runner, steps: int) -> Path:
        """Write a checkpoint in `after_train_iter`.

        Args:
            runner: The runner.
            steps: Steps of the current epoch that are done.

        Raises:
            TrainingError: It cannot be written.
        """
        return self._save(runner, runner.epoch, steps, runner.iter + 1)

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
        of_zoo = {"step_in_epoch": self._step_in_epoch, "fingerprint": self.fingerprint}
        checkpoint["tipr_zoo"] = {**checkpoint.get("tipr_zoo", {}), **of_zoo}  # other hooks come before

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {PREFIX + name: value for name, value in state.items()}
        runner.train_loop.first_step = checkpoint.get("tipr_zoo", {}).get("step_in_epoch", 0)

    def _save(self, runner: Runner, epoch: int, step: int, iteration: int) -> Path:
        self._step_in_epoch = step
        file = self.work_dir / checkpoint_name(epoch, step)
        about = {"epoch": epoch, "iter": iteration}
        try:
            if is_main_process():
                with whole_file(file) as part:
                    runner.save_checkpoint(str(part.parent), part.name, save_param_scheduler=False, meta=about)
        except OSError as error:
            before = f"; {self.last} is whole" if self.last else ""
            raise TrainingError(
                f"checkpoint {file} cannot be written: {error.strerror or error}{before}; make room, then go on with"
                " --resume"
            ) from error
        self.last = file
        if is_main_process():
            files = checkpoint_files(self.work_dir)
            first = files.index(file)  # later ones could not be read, or this would not have been written
            for other in files[:first] + files[first + KEPT :]:
                if other.is_file():
                    self._remove(other)
        return file

    def _remove(self, file: Path) -> None:
        """Remove a checkpoint, not what it alone has of the best epoch."""
        try:
            keep_before_removal(file, self.left_out)
        except WriteError as error:
            raise TrainingError(
                f"{error.filename} cannot be written: {error.strerror}; {self.last} is whole; make room, then go on"
                " with --resume"
            ) from error
        file.unlink()
