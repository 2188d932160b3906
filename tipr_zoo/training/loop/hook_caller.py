"""The hooks of a recipe, called at their moments by one of MMEngine's."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.errors import ConfigError
from tipr_zoo.models.kept_promises import told_failures
from tipr_zoo.protocols import TrainingHook
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.checkpoints.history import DIGITS, validation_of
from tipr_zoo.training.loop.hook_results import check_brought, checked_entries, checked_state, unchanged_switches
from tipr_zoo.training.loop.hooks import seed_draws
from tipr_zoo.training.loop.training_run import TrainingRun
from tipr_zoo.training.training_hooks import MOMENTS

PATIENCE = 120.0
"""Seconds after which a hook that does not return is told, and after as many more again."""

_AFTER_AN_EPOCH = ("before_validation", "after_validation", "after_run")
"""Moments at which the epoch that is meant counts as done."""


class HookCaller(Hook):
    """Calls hooks, checks what they give, and keeps their state in checkpoints.

    Args:
        hooks: The hooks, in the order in which they are called.
        seed: The seed of the training.
        figures: Gets what hooks note of an epoch, by name.

    Attributes:
        most_batches: See `TrainingRun`; a dry run measures no more than it needs.
    """

    priority = "HIGHEST"  # before the seed of each step, so that what a hook draws changes nothing in it

    def __init__(self, hooks: Sequence[TrainingHook], seed: int, figures: dict[str, float | None]) -> None:
        self.hooks, self.seed, self.figures = hooks, seed, figures
        self.run: TrainingRun | None = None
        self.states: Mapping[str, Any] | None = None
        self.watch = _Watch()
        self.most_batches: int | None = None
        self.has_steps = any(hasattr(hook, name) for hook in hooks for name in ("before_step", "after_step"))

    def before_train(self, runner: Runner) -> None:
        self.run = TrainingRun(runner, self.seed, self.figures)
        self.run.step_in_epoch, self.run.most_batches = runner.train_loop.first_step, self.most_batches
        if self.states is not None:
            self._load_states(self.states)
        if self.hooks:
            self.watch.start()
        self._call("before_run")
        is_at_end_of_epoch = runner.epoch and not runner.train_loop.first_step
        # The validation of that epoch came after the checkpoint. Where it took place, it is not done again.
        if is_at_end_of_epoch and (figures := validation_of(Path(runner.work_dir), runner.epoch)):
            self._call("after_validation", figures)

    def before_train_epoch(self, runner: Runner) -> None:
        self._call("before_epoch")

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self._of_run.step_in_epoch = batch_idx
        if not self.has_steps:
            return
        count = len(data_batch["pids"])
        for hook in self._seeded("before_step"):
            entries = self._call_one(hook, "before_step", dict(data_batch))
            data_batch.update(checked_entries(entries, data_batch, count, hook))
            check_brought(data_batch, hook)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self._of_run.step_in_epoch = batch_idx + 1
        if self.has_steps:
            self._call("after_step", {key.removeprefix("loss_"): value for key, value in outputs.items()})

    def after_train_epoch(self, runner: Runner) -> None:
        self._call("after_epoch")
        self._of_run.step_in_epoch = 0

    def before_val(self, runner: Runner) -> None:
        self._call("before_validation")

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        self._call("after_validation", {key: round(value, DIGITS) for key, value in (metrics or {}).items()})

    def after_train(self, runner: Runner) -> None:
        self._call("after_run")

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        states = {
            key: checked_state(self._call_one(hook, "state_dict", with_run=False), hook)
            for key, hook in self._by_key().items()
            if hasattr(hook, "state_dict")
        }
        if states:
            checkpoint["hooks"] = states
        if self.figures:  # within an epoch; at its end they are in the history
            checkpoint["noted"] = dict(self.figures)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        self.states = checkpoint.get("hooks", {})
        self.figures.update(checkpoint.get("noted", {}))

    def close(self) -> None:
        """End the watch, also where training ended with an error."""
        self.watch.stop()

    @property
    def _of_run(self) -> TrainingRun:
        assert self.run is not None  # MMEngine calls before_train first
        return self.run

    def _by_key(self) -> dict[str, TrainingHook]:
        """Return the hooks by the names that their states have in a checkpoint."""
        return {f"{index} {type(hook).__name__}": hook for index, hook in enumerate(self.hooks)}

    def _load_states(self, states: Mapping[str, Any]) -> None:
        having = {key: hook for key, hook in self._by_key().items() if hasattr(hook, "load_state_dict")}
        if having.keys() != states.keys():
            was, is_ = (", ".join(key.split(" ", 1)[1] for key in keys) or "none" for keys in (states, having))
            raise ConfigError(
                f"training.hooks that keep a state were {was} and are {is_}, so the training cannot go on with them;"
                " leave them as they were, or train anew in another --work-dir"
            )
        for key, hook in having.items():
            self._call_one(hook, "load_state_dict", states[key], with_run=False)

    def _call(self, moment: str, *arguments: Any) -> None:
        for hook in self._seeded(moment):
            self._call_one(hook, moment, *arguments)

    def _seeded(self, moment: str) -> list[TrainingHook]:
        """Return the hooks that have a moment. What they draw depends on the seed, the step and the moment alone."""
        having = [hook for hook in self.hooks if hasattr(hook, moment)]
        if having:
            seed_draws(self.seed, self._of_run.step, 1 + MOMENTS.index(moment))
        return having

    def _call_one(self, hook: TrainingHook, moment: str, *arguments: Any, with_run: bool = True) -> Any:
        """Call a method of a hook; what it raises is told with its name and the epoch."""
        kind, run = type(hook).__name__, (self.run,) if with_run else ()
        is_over = moment in _AFTER_AN_EPOCH
        at = f", in epoch {self.run.epoch + (not is_over)}," if self.run else ""
        said = f"{moment} of the hook {kind}"
        self.watch.running = (kind, moment, time.monotonic())
        try:
            with unchanged_switches(said), told_failures(f"{said}{at}"):
                return getattr(hook, moment)(*run, *arguments)
        finally:
            self.watch.running = None


class _Watch:
    """Tells of a hook that does not return.

    Attributes:
        running: The hook, its method, and since when; None between calls.
    """

    def __init__(self) -> None:
        self.running: tuple[str, str, float] | None = None
        self._ended = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._look, name="tipr_zoo hooks", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def _look(self) -> None:
        told = PATIENCE
        while not self._ended.wait(min(PATIENCE, 5.0)):
            running = self.running
            waited = time.monotonic() - running[2] if running else 0.0
            if not running or waited < PATIENCE:
                told = PATIENCE
            elif waited >= told:
                logger.warning("the hook %s has been in %s for %.0f s; Ctrl-C twice ends it", *running[:2], waited)
                told = 2 * waited
