"""What a training leaves besides its weights, as it was asked for."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.distributed import is_main_process, process_count
from tipr_zoo.machine.devices import describe_device
from tipr_zoo.models.resolved_model import ResolvedModel
from tipr_zoo.terminal.log import logger
from tipr_zoo.terminal.published_paths import published_text
from tipr_zoo.training.loop.tensorboard_hook import TensorBoardHook
from tipr_zoo.training.loop.wandb_hook import WandbHook
from tipr_zoo.training.pairs.training_data import TrainingData
from tipr_zoo.training.trail.curves_hook import CurvesHook
from tipr_zoo.training.trail.disk_use import PlannedFile, check_room, planned_files
from tipr_zoo.training.trail.recipe_file import write_recipe
from tipr_zoo.training.trail.run_file import noted_run, read_runs
from tipr_zoo.training.trail.train_log import TrainLog
from tipr_zoo.training.trail.versions import versions

TENSORBOARD, WANDB = "tensorboard", "wandb"
"""Folders in a work dir."""


@dataclass(frozen=True)
class Start:
    """A training that begins or goes on.

    Attributes:
        resolved: The model.
        recipe: Its recipe as it is trained by.
        data: What it is trained and validated on.
        work_dir: Where it writes.
        device: Where it is trained.
        weights: What it starts from; None for random weights.
        checkpoint: What it goes on from; None where it begins anew.
    """

    resolved: ResolvedModel
    recipe: ConfigDict
    data: TrainingData
    work_dir: Path
    device: torch.device
    weights: Path | None
    checkpoint: Path | None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.resolved.name


@dataclass
class Trail:
    """How a training was called, and what it is to leave.

    Attributes:
        command: The command line; None where a program called it.
        tensorboard: Whether it also writes ``tensorboard/``.
        wandb: Whether it also gives its figures to Weights & Biases.
        log: Where everything that is said goes.
    """

    command: str | None = None
    tensorboard: bool = False
    wandb: bool = False
    log: TrainLog = field(default_factory=TrainLog)
    _wandb_id: str | None = field(default=None, init=False)

    def hooks(self, start: Start) -> list[Hook]:
        """Return the hooks that write while it runs; none but in the main process.

        Raises:
            ConfigError: What was asked for is not installed.
            TrainingError: ``runs.json`` is damaged.
        """
        if not is_main_process():
            return []
        hooks: list[Hook] = [CurvesHook(start.work_dir, start.name)]
        if self.tensorboard:
            hooks.append(TensorBoardHook(start.work_dir / TENSORBOARD))
        if self.wandb:
            known = [run[WANDB] for run in read_runs(start.work_dir) if isinstance(run.get(WANDB), str)]
            self._wandb_id = known[-1] if known else secrets.token_hex(4)
            recipe = _published(start.recipe.to_dict())
            hooks.append(WandbHook(start.work_dir, start.name, self._wandb_id, recipe))
        return hooks

    def check_room(self, start: Start, runner: Runner) -> None:
        """Say how much a training is going to write, and that there is room for it.

        Raises:
            ConfigError: There is none.
        """
        if is_main_process():
            files = self.planned_files(start, runner)
            line = check_room(start.work_dir, files, int(start.recipe.training.max_epochs))
            logger.warning("%s", line)

    def planned_files(self, start: Start, runner: Runner) -> list[PlannedFile]:
        """List what a training is going to write."""
        model = runner.model.module if hasattr(runner.model, "module") else runner.model
        return planned_files(
            start.name,
            start.recipe.training,
            model.retriever,
            runner.optim_wrapper.optimizer,
            steps=len(runner.train_dataloader),
            is_validated=start.data.validation is not None,
            more=[TENSORBOARD] * self.tensorboard + [WANDB] * self.wandb,
        )

    @contextmanager
    def noted(self, start: Start) -> Iterator[None]:
        """Write down what is trained and how when the block begins, and how it ended; in the main process alone.

        Raises:
            TrainingError: ``runs.json`` is damaged.
            WriteError: Something cannot be written.
        """
        if not is_main_process():
            yield
            return
        self.log.write_to(start.work_dir)
        write_recipe(start.work_dir, start.name, start.recipe)
        how = f"goes on from {start.checkpoint.name}" if start.checkpoint else "begins"
        called = self.command or f"the training of {start.name}"
        with noted_run(start.work_dir, self._facts(start)):
            self.log.line(f"{called}: {how}, {describe_device(start.device)}")
            yield
            self.log.line("ended: finished")

    def _facts(self, start: Start) -> dict[str, Any]:
        """Collect what the entry of a run says."""
        overrides = start.resolved.overrides
        facts = {
            "command": self.command,
            "working_directory": os.getcwd(),
            "model": start.name,
            "overrides": dict(overrides),
            "goes_on_from": start.checkpoint.name if start.checkpoint else None,
            "starting_weights": start.weights,
            "seed": start.recipe.training.get("seed", 0),
            "device": describe_device(start.device),
            "processes": process_count(),
            "data": [_split_facts(split) for split in (start.data.train, start.data.validation) if split is not None],
            "versions": versions(start.resolved.card, start.recipe),
            "platform": platform.platform(),
        }
        return facts | ({WANDB: self._wandb_id} if self._wandb_id else {})


def _split_facts(split: PersonDataset) -> dict[str, Any]:
    return {
        "dataset": split.name,
        "split": split.split,
        "root": split.root.absolute(),
        "identities": split.identity_count,
        "pictures": len(split.pictures),
        "captions": len(split.captions),
        "annotations_sha256": split.sha256,
    }


def _published(value: Any) -> Any:
    """Return a recipe in which no text says where on this machine a file lies: it leaves the machine."""
    if isinstance(value, Mapping):
        return {key: _published(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_published(each) for each in value]
    return published_text(value) if isinstance(value, str) else value
