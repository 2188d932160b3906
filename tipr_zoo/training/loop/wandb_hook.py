"""Losses, rates and validation figures for Weights & Biases. Neither pictures nor captions are given to it."""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.errors import ConfigError, error_line
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.loop.step_figures import step_figures, validation_figures

PROJECT = "tipr-zoo"
"""The project of a run where the environment variable ``WANDB_PROJECT`` names no other."""

PATIENCE = 30.0
"""Seconds to wait for the server, at the start and at the end."""

_MODES = ("online", "offline", "disabled", "shared")


class WandbHook(Hook):
    """Gives Weights & Biases the losses, rate and gradient norm of every step, and the figures of every validation.

    Without a login, or without a network, the run is written to ``wandb/`` alone, and ``wandb sync`` uploads it later.

    Args:
        work_dir: The work dir, in which ``wandb/`` lies.
        name: What the run is called.
        run_id: Tells this training from others. A resumed run has that of the run that it goes on from.
        recipe: The recipe, without folders of this machine.

    Raises:
        ConfigError: Weights & Biases is not installed, or ``WANDB_MODE`` is none of its modes.
    """

    def __init__(self, work_dir: Path, name: str, run_id: str, recipe: Mapping[str, Any]) -> None:
        try:
            import wandb  # not at the top: an extra, which may be absent

            # A folder wandb/, such as a run leaves, is a module to Python where the package is absent.
            from wandb import Error, Settings, init  # noqa: F401
        except ImportError as error:
            raise ConfigError("Weights & Biases is not installed; run: pip install 'tipr-zoo[wandb]'") from error
        self._wandb: Any = wandb
        self._mode = wandb_mode()
        self._about: dict[str, Any] = {
            "dir": str(work_dir),
            "name": name,
            "id": run_id,
            "resume": "allow",
            "config": dict(recipe),
        }
        self._run: Any = None

    def before_train(self, runner: Runner) -> None:
        if self._mode == "offline" and "WANDB_MODE" not in os.environ:
            logger.warning("Weights & Biases: no login was found (wandb login), so wandb/ is written and not uploaded")
        try:
            self._run = self._start(self._mode)
        except (self._wandb.Error, TimeoutError, OSError) as error:
            if self._mode == "offline":
                raise ConfigError(f"Weights & Biases cannot write: {error_line(error)}; leave out --wandb") from error
            logger.warning(
                "Weights & Biases cannot be reached, so wandb/ is written and not uploaded (wandb sync does that): %s",
                error_line(error),
            )
            self._wandb.teardown()  # it takes the run's id for one that is in use otherwise
            self._run = self._start("offline")
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")  # after an interruption some steps are done again

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self._run.log({"step": runner.iter, **step_figures(runner, outputs)})

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        if self._run is not None:
            self._run.log({"step": runner.iter, "epoch": runner.epoch, **validation_figures(metrics)})

    def after_train(self, runner: Runner) -> None:
        self._finish(0)

    def close(self) -> None:
        """End the run, also where training ended with an error."""
        self._finish(1)

    def _start(self, mode: str) -> Any:
        settings = self._wandb.Settings(
            console="off",  # what is printed names folders
            silent=True,
            save_code=False,
            disable_code=True,
            disable_git=True,
            x_disable_meta=True,  # command line, folders and the machine's name
            x_disable_machine_info=True,
            x_save_requirements=False,
            init_timeout=PATIENCE,
            finish_timeout=PATIENCE,
        )
        project = os.environ.get("WANDB_PROJECT") or PROJECT
        return self._wandb.init(project=project, mode=mode, settings=settings, **self._about)

    def _finish(self, exit_code: int) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        try:
            run.finish(exit_code=exit_code)
        except (self._wandb.Error, TimeoutError, OSError) as error:
            logger.warning("Weights & Biases did not end its run; `wandb sync` may: %s", error_line(error))


def wandb_mode() -> str:
    """Return ``WANDB_MODE`` where it is set, else ``"online"`` where there is a login, else ``"offline"``.

    Raises:
        ConfigError: It is set to something else than a mode.
    """
    if mode := os.environ.get("WANDB_MODE"):
        if mode not in _MODES:
            raise ConfigError(f"WANDB_MODE must be one of {', '.join(_MODES)}, got {mode!r}")
        return mode
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return "online"
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    try:
        return "online" if netrc.netrc(os.environ.get("NETRC")).hosts.get(host) else "offline"
    except (OSError, netrc.NetrcParseError):
        return "offline"
