"""Training a model of the zoo by its recipe."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.runner import Runner

from tipr_zoo.datasets.arguments import tell_changed_annotations
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.distributed import gather_objects, is_main_process, joined_processes
from tipr_zoo.errors import ConfigError
from tipr_zoo.machine.result_place import check_name
from tipr_zoo.models.building import fit_identities
from tipr_zoo.models.clip_weights import can_start_from_clip
from tipr_zoo.models.resolved_model import ResolvedModel, resolve
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.checkpoints.best_weights import find_best, forget_best_after
from tipr_zoo.training.checkpoints.files import checkpoint_epoch, checkpoint_files, last_checkpoint
from tipr_zoo.training.checkpoints.fingerprint import check_fingerprint, training_fingerprint
from tipr_zoo.training.checkpoints.history import read_history
from tipr_zoo.training.checkpoints.work_dir_lock import locked
from tipr_zoo.training.final_weights import Trained, TrainingResult, keep_selected
from tipr_zoo.training.loop.failures import explained_failures
from tipr_zoo.training.loop.interruption import Interruption
from tipr_zoo.training.loop.moving_average import average_settings, check_averages
from tipr_zoo.training.loop.runner import build_runner
from tipr_zoo.training.pairs.training_data import TrainingData
from tipr_zoo.training.pairs.training_loader import end_workers
from tipr_zoo.training.settings import check_objectives, check_training
from tipr_zoo.training.starting_model import starting_model
from tipr_zoo.training.trail.trail import Start, Trail


def train(
    name: str,
    train_set: PersonDataset,
    validation_set: PersonDataset | None,
    work_dir: Path,
    *,
    weights: Path | None = None,
    resume: bool = False,
    overrides: Mapping[str, Any] | None = None,
    max_minutes: float | None = None,
    device: str = "cpu",
    tensorboard: bool = False,
    wandb: bool = False,
) -> TrainingResult:
    """Train a model by its recipe.

    A checkpoint is written after each epoch. The weights of the epoch that is best on validation are kept. Under
    ``torchrun`` all processes train one model together, and each batch is spread over them.

    Args:
        name: The model's name.
        train_set: What to train on.
        validation_set: What the best epoch is chosen on; None to take the last epoch. Its split is noted in the
            weights. Papers often choose on the test split, which makes their figures a little too good.
        work_dir: Where checkpoints, the final weights, ``history.jsonl`` and the rest of the trail go.
        weights: Weights to start from instead of random ones. They may be the model's own. They may be OpenAI-format
            CLIP weights for its towers; their position grid is resized to the model's. They may be a checkpoint of a
            method's official code, such as NAM's and HAM's. Or they may be timm's, of the image tower alone. See
            `tipr_zoo.models.starting_weights.load_starting_weights`.
        resume: Continue from the last checkpoint in `work_dir`, if there is one.
        overrides: Entries of the recipe to change, by dotted name.
        max_minutes: Stop at the end of the epoch in which this time is up, in minutes.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        tensorboard: Also write ``tensorboard/`` in `work_dir`.
        wandb: Also give the figures to Weights & Biases, in ``wandb/`` in `work_dir`.

    Raises:
        ConfigError: The recipe or `max_minutes` makes no sense; `work_dir` holds another training and `resume` is not
            set; another process trains there; the data set is not the one that the checkpoint was written with; or the
            disk has no room for what a training writes.
        DataError: A picture is missing or cannot be read.
        TrainingError: A loss or a gradient is not finite, a process died, or the disk or the memory is full. The last
            checkpoint is whole.
        TrainingInterrupted: A signal stopped it; there is a checkpoint.
    """
    return train_resolved(
        resolve(name, overrides),
        TrainingData(train_set, validation_set),
        work_dir,
        weights=weights,
        resume=resume,
        max_minutes=max_minutes,
        device=device,
        trail=Trail(tensorboard=tensorboard, wandb=wandb),
    )


def train_resolved(
    resolved: ResolvedModel,
    data: TrainingData,
    work_dir: Path,
    *,
    weights: Path | None = None,
    resume: bool = False,
    max_minutes: float | None = None,
    device: str = "cpu",
    trail: Trail | None = None,
) -> TrainingResult:
    """Train a model that was looked up already; see `train`.

    Args:
        resolved: The model, with the overrides in its recipe.
        data: The training split, and the split that the best epoch is chosen on.
        work_dir: Where checkpoints, the final weights, ``history.jsonl`` and the rest of the trail go.
        weights: Weights to start from instead of random ones, as in `train`.
        resume: Continue from the last checkpoint in `work_dir`, if there is one.
        max_minutes: Stop at the end of the epoch in which this time is up, in minutes.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        trail: How it was called, and what else it is to leave.

    Raises:
        TiprZooError: As `train` does.
    """
    if max_minutes is not None and not max_minutes >= 0:  # NaN, too, is refused
        raise ConfigError(f"max_minutes must be a number from 0, got {max_minutes}")
    trail = trail or Trail()
    with trail.log:
        check_work_dir(work_dir, resume)
        name, recipe = resolved.name, checked_recipe(resolved, data)
        place = torch.device(device)
        with (
            joined_processes(place),
            Interruption() as interruption,
            explained_failures(interruption, work_dir),
            locked(work_dir),
        ):
            fingerprint = training_fingerprint(recipe, data.train, data.validation)
            is_resumed = resume and bool(checkpoint_files(work_dir))
            started = starting_model(name, recipe, None if is_resumed else weights)
            model, set_up = started.model, started.set_up
            checkpoint = last_checkpoint(work_dir, model) if resume else None
            _check_same_everywhere(checkpoint, work_dir)
            if checkpoint is not None:
                check_fingerprint(checkpoint, fingerprint, data.train.root)
                check_averages(checkpoint, average_settings(recipe.training))
                _tell_lost_best(work_dir, checkpoint)
            elif weights is None:
                what = "CLIP's or its own" if can_start_from_clip(model) else "its own"
                logger.warning("%s: weights are random at the start; --weights FILE starts from %s", name, what)
            start = Start(resolved, recipe, data, work_dir, place, weights, checkpoint)
            runner = build_runner(
                recipe.training,
                model.to(place),
                data.train,
                data.validation,
                work_dir,
                checkpoint=checkpoint,
                fingerprint=fingerprint,
                interruption=interruption,
                max_minutes=max_minutes,
                more_hooks=trail.hooks(start),
                note=trail.log.line,
                set_up=set_up,
            )
            trail.check_room(start, runner)
            with trail.noted(start):
                _run(runner)
                return keep_selected(Trained(model, runner.epoch, frozenset(set_up)), work_dir, resolved, recipe, data)


def check_work_dir(work_dir: Path, resume: bool) -> None:
    """Check that a training may begin in a work dir.

    Raises:
        ConfigError: It holds another training, and is not to be resumed; or no place has such a name.
    """
    check_name(work_dir)
    if not resume and checkpoint_files(work_dir):
        raise ConfigError(
            f"{work_dir} holds checkpoints of a training; pass --resume to continue it, or another --work-dir"
        )


def checked_recipe(resolved: ResolvedModel, data: TrainingData) -> ConfigDict:
    """Return the recipe that a model is trained by on some data, with as many classes as there are identities.

    Raises:
        ConfigError: It makes no sense.
        UnknownNameError: There is an entry that nothing reads.
    """
    recipe = resolved.copied_recipe()
    check_objectives(resolved.name, recipe.model)
    check_training(recipe.training)
    tell_changed_annotations(data.train)
    fit_identities(recipe.model, data.train.identity_count, data.train.annotation_file, logging.WARNING)
    return recipe


def _check_same_everywhere(checkpoint: Path | None, work_dir: Path) -> None:
    """Raise ConfigError where processes would go on from different checkpoints, each with other weights."""
    names = [path.name if path else "none" for path in gather_objects(checkpoint)]
    if len(set(names)) > 1:
        found = ", ".join(f"process {rank} {name}" for rank, name in enumerate(names))
        raise ConfigError(
            f"the processes find different checkpoints in {work_dir}: {found}; name a --work-dir that all machines"
            " share, or copy the checkpoint to each of them"
        )


def _tell_lost_best(work_dir: Path, checkpoint: Path) -> None:
    """Warn where the history knows the best epoch so far, and its weights are lost."""
    if not is_main_process():
        return
    forget_best_after(work_dir, checkpoint_epoch(checkpoint) or 0)
    if any("validation" in row for row in read_history(work_dir)) and find_best(work_dir) is None:
        logger.warning(
            "%s: the weights of the best epoch are missing or damaged: the best epoch is chosen among those from now"
            " on, or else the last one is kept",
            work_dir,
        )


def _run(runner: Runner) -> None:
    """Train. Whatever happens, end the progress bar and the processes that load pictures."""
    try:
        with redirect_stdout(sys.stderr):  # MMEngine prints what it loads
            runner.train()
    finally:
        end_workers(runner.train_dataloader)
        for hook in runner.hooks:
            if hasattr(hook, "close"):
                hook.close()
