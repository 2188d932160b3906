"""One recipe trained with several seeds, each in a folder: interrupted ones go on, finished ones are kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tipr_zoo.errors import TrainingError, TrainingInterrupted
from tipr_zoo.machine.processes import available_cores
from tipr_zoo.machine.signals import raised_signals
from tipr_zoo.models.resolved_model import ResolvedModel
from tipr_zoo.outside.files import LOG_LIMIT, file_sha256, read_bytes
from tipr_zoo.reproduction.seed_folder import SeedFolder
from tipr_zoo.terminal.log import logger
from tipr_zoo.terminal.progress_bar import ProgressBar
from tipr_zoo.training.loop.interruption import SIGNALS
from tipr_zoo.training.pairs.training_data import TrainingData
from tipr_zoo.training.train import train_resolved
from tipr_zoo.weights.header import read_metadata

LOG = "log.txt"

_RESUMED_HERE = "; here, --resume is the same command once more"

WITHOUT_EFFECT = "num_workers"
"""The entry of a recipe's ``training`` that changes no figure."""


@dataclass(frozen=True)
class TrainingPlan:
    """What the trainings of all seeds have in common.

    Attributes:
        resolved: The model, with the overrides in its recipe but for the seed.
        data: What to train on, and to choose the epoch on.
        work_dir: Holds one folder for each seed.
        weights: Weights to start from, or None for random ones.
        select_on: The split that the epoch is chosen on where the data set has it.
        max_minutes: Ends each training with the epoch in which this time is up, in minutes.
        device: ``"cpu"``, ``"cuda"``, ...
    """

    resolved: ResolvedModel
    data: TrainingData
    work_dir: Path
    weights: Path | None
    select_on: str
    max_minutes: float | None
    device: str

    @property
    def name(self) -> str:
        """The model's name."""
        return self.resolved.name

    def of_seed(self, seed: int) -> ResolvedModel:
        """Return the model with this seed in its recipe."""
        return self.resolved.changed({"training.seed": seed})

    def folder(self, seed: int) -> SeedFolder:
        """Return the folder of the training with this seed, which knows all that decides its result."""
        recipe = self.of_seed(seed).recipe.to_dict()
        recipe["training"].pop(WITHOUT_EFFECT, None)
        described = {
            "name": self.name,
            "recipe": recipe,
            "dataset": self.data.train.name,
            "dataset_sha256": self.data.train.sha256,
            "weights_sha256": file_sha256(self.weights) if self.weights else None,
            "select_on": self.data.validation.split if self.data.validation else "none",
        }
        as_json = json.loads(json.dumps(described, default=str))
        return SeedFolder(self.work_dir / f"seed{seed}", self.name, as_json)


@dataclass(frozen=True)
class SeedTraining:
    """One training that has ended.

    Attributes:
        seed: Its seed.
        weights: The weights of the chosen epoch.
        selected_epoch: That epoch, from 1; None where the weights do not tell.
        epochs: How many there were.
        max_epochs: How many the recipe wants; more than `epochs` where time was up.
    """

    seed: int
    weights: Path
    selected_epoch: int | None
    epochs: int
    max_epochs: int


def train_seeds(plan: TrainingPlan, seeds: Sequence[int], jobs: int = 1) -> list[SeedTraining]:
    """Train with every seed that is not trained yet.

    Args:
        plan: What to train.
        seeds: The seeds.
        jobs: Trainings at a time. One runs in this process. Several run in processes of their own, which write
            ``log.txt`` into their folders, and share the cores or take turns with the GPUs.

    Raises:
        ConfigError: A folder holds something else; nothing is trained then.
        TrainingError: A training failed. Those that ran beside it have ended, and no other was begun.
        TiprZooError: Whatever else `tipr_zoo.training.train.train` raises.
    """
    folders = {seed: plan.folder(seed) for seed in seeds}
    is_finished = {seed: folder.epochs() >= folder.max_epochs for seed, folder in folders.items()}
    for seed in (seed for seed in seeds if is_finished[seed]):
        logger.warning("seed %d: trained already, not trained again: %s", seed, folders[seed].path)
    left = {seed: folder for seed, folder in folders.items() if not is_finished[seed]}
    if min(jobs, len(left)) > 1:
        _train_in_processes(plan, left, jobs)
    else:
        for seed, folder in left.items():
            logger.warning("seed %d: trained in %s", seed, folder.path)
            _train_here(plan, seed, folder)
    return [_trained(seed, folder) for seed, folder in folders.items()]


def _train_here(plan: TrainingPlan, seed: int, folder: SeedFolder) -> None:
    is_begun = folder.begin()
    try:
        train_resolved(
            plan.of_seed(seed),
            plan.data,
            folder.path,
            weights=plan.weights,
            resume=is_begun,
            max_minutes=plan.max_minutes,
            device=plan.device,
        )
    except TrainingError as error:
        raise TrainingError(f"the training with seed {seed} failed: {error}{_RESUMED_HERE}") from error
    folder.finish()


def _train_in_processes(plan: TrainingPlan, folders: Mapping[int, SeedFolder], jobs: int) -> None:
    """Train several at a time; after a failure or Ctrl-C no other is begun."""
    waiting, running, failed = list(folders), dict[int, subprocess.Popen[bytes]](), list[int]()
    try:
        with (
            raised_signals(SIGNALS, TrainingInterrupted),
            ProgressBar(total=len(folders), desc="trainings", dynamic_ncols=True) as bar,
        ):
            while running or (waiting and not failed):
                while waiting and len(running) < jobs and not failed:
                    turn, seed = len(folders) - len(waiting), waiting.pop(0)
                    running[seed] = _start(plan, seed, folders[seed], _share(plan.device, turn, jobs))
                for seed in [seed for seed, process in running.items() if process.poll() is not None]:
                    if running.pop(seed).returncode:
                        failed.append(seed)
                    else:
                        folders[seed].finish()
                        bar.update()
                time.sleep(0.1)
    except BaseException:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
        raise
    if failed:
        log = folders[failed[0]].path / LOG
        raise TrainingError(
            f"the training with seed {failed[0]} failed: {_last_line(log)}{_RESUMED_HERE} (its messages: {log})"
        )


def _start(
    plan: TrainingPlan, seed: int, folder: SeedFolder, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Begin one training in a process of its own."""
    is_begun = folder.begin()
    command = [sys.executable, "-m", "tipr_zoo", "train", plan.name, "--data", str(plan.data.train.root)]
    command += ["--dataset", plan.data.train.name]
    command += ["--work-dir", str(folder.path), "--device", plan.device, "--select-on", plan.select_on]
    command += ["--weights", str(plan.weights)] if plan.weights else []
    command += ["--max-minutes", str(plan.max_minutes)] if plan.max_minutes is not None else []
    command += ["--resume"] if is_begun else []
    command += ["--cfg-options", *(f"{key}={value!r}" for key, value in plan.of_seed(seed).overrides.items())]
    with (folder.path / LOG).open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **environment}
        )


def _share(device: str, turn: int, jobs: int) -> dict[str, str]:
    """Return the environment that gives one of several processes its share of the cores, and its GPU."""
    environment = {"OMP_NUM_THREADS": str(max(1, available_cores() // jobs))}
    if device == "cuda":
        named = os.environ.get("CUDA_VISIBLE_DEVICES")
        gpus = named.split(",") if named else [str(index) for index in range(torch.cuda.device_count())]
        environment["CUDA_VISIBLE_DEVICES"] = gpus[turn % len(gpus)]
    return environment


def _trained(seed: int, folder: SeedFolder) -> SeedTraining:
    """Return what a training that has ended left behind."""
    epoch = read_metadata(folder.weights).get("epoch")
    return SeedTraining(seed, folder.weights, int(epoch) if epoch else None, folder.epochs(), folder.max_epochs)


def _last_line(log: Path) -> str:
    """Return the last line that a process wrote, which is its error."""
    try:
        lines = read_bytes(log, LOG_LIMIT).decode(errors="replace").replace("\r", "\n").split("\n")
    except OSError as error:
        return f"its log {log} cannot be read: {error}"
    return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing").removeprefix("error: ")
