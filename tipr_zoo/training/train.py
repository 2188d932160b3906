"""Training a model of the zoo by its recipe."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.runner import Runner
from torch import Tensor, nn

from tipr_zoo.datasets.arguments import tell_changed_annotations
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.distributed import gather_objects, is_main_process, joined_processes
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.models.building import fit_identities
from tipr_zoo.models.clip_weights import can_start_from_clip
from tipr_zoo.models.objective_setup import set_up_objectives
from tipr_zoo.models.resolved_model import ResolvedModel, resolve
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.models.starting_weights import load_starting_weights
from tipr_zoo.models.weights_origin import origin_texts
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.adapters import (
    MERGED,
    Adapters,
    adapter_settings,
    add_adapters,
    merge_adapters,
    plain_name,
    save_adapters,
)
from tipr_zoo.training.checkpoints.best_weights_hook import BEST_WEIGHTS, best_epoch
from tipr_zoo.training.checkpoints.files import checkpoint_files, last_checkpoint
from tipr_zoo.training.checkpoints.fingerprint import check_fingerprint, training_fingerprint
from tipr_zoo.training.checkpoints.history import read_history, validation_of
from tipr_zoo.training.checkpoints.work_dir_lock import locked
from tipr_zoo.training.loop.failures import explained_failures
from tipr_zoo.training.loop.interruption import Interruption
from tipr_zoo.training.loop.moving_average import average_settings, average_texts, check_averages
from tipr_zoo.training.loop.runner import build_runner
from tipr_zoo.training.pairs.training_data import TrainingData
from tipr_zoo.training.pairs.training_loader import end_workers
from tipr_zoo.training.settings import WEIGHTS_DTYPES, check_objectives, check_training, no_objective
from tipr_zoo.version import __version__
from tipr_zoo.weights.tensors import read_weights, write_weights


@dataclass(frozen=True)
class TrainingResult:
    """What a training left behind.

    Attributes:
        weights: The weights of the best epoch. Without a split to choose on they are those of the last epoch.
        selected_epoch: That epoch, from 1.
        validation: Its figures in percent; empty without such a split.
        selected_on: ``"val"`` or ``"test"``; ``"none"`` where the last epoch was kept.
    """

    weights: Path
    selected_epoch: int
    validation: dict[str, float]
    selected_on: str = "none"


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
) -> TrainingResult:
    """Train a model by its recipe.

    A checkpoint is written after each epoch. The weights of the epoch that is best on validation are kept. Under
    ``torchrun`` all processes train one model together, and each batch is spread over them.

    Args:
        name: The model's name.
        train_set: What to train on.
        validation_set: What the best epoch is chosen on; None to take the last epoch. Its split is noted in the
            weights. Papers often choose on the test split, which makes their figures a little too good.
        work_dir: Where checkpoints, ``history.jsonl`` and the final weights go.
        weights: Weights to start from instead of random ones. They may be the model's own. They may be OpenAI-format
            CLIP weights for its towers; their position grid is resized to the model's. They may be a checkpoint of a
            method's official code, such as NAM's and HAM's. Or they may be timm's, of the image tower alone. See
            `tipr_zoo.models.starting_weights.load_starting_weights`.
        resume: Continue from the last checkpoint in `work_dir`, if there is one.
        overrides: Entries of the recipe to change, by dotted name.
        max_minutes: Stop at the end of the epoch in which this time is up, in minutes.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        tensorboard: Also write ``tensorboard/`` in `work_dir`.

    Raises:
        ConfigError: The recipe or `max_minutes` makes no sense; `work_dir` holds another training and `resume` is not
            set; another process trains there; or the data set is not the one that the checkpoint was written with.
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
        tensorboard=tensorboard,
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
    tensorboard: bool = False,
) -> TrainingResult:
    """Train a model that was looked up already; see `train`.

    Args:
        resolved: The model, with the overrides in its recipe.
        data: The training split, and the split that the best epoch is chosen on.
        work_dir: Where checkpoints, ``history.jsonl`` and the final weights go.
        weights: Weights to start from instead of random ones, as in `train`.
        resume: Continue from the last checkpoint in `work_dir`, if there is one.
        max_minutes: Stop at the end of the epoch in which this time is up, in minutes.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        tensorboard: Also write ``tensorboard/`` in `work_dir`.

    Raises:
        TiprZooError: As `train` does.
    """
    if max_minutes is not None and not max_minutes >= 0:  # NaN, too, is refused
        raise ConfigError(f"max_minutes must be a number from 0, got {max_minutes}")
    if not resume and checkpoint_files(work_dir):
        raise ConfigError(
            f"{work_dir} holds checkpoints of a training; pass --resume to continue it, or another --work-dir"
        )
    name, recipe, train_set, validation_set = resolved.name, resolved.copied_recipe(), data.train, data.validation
    check_objectives(name, recipe.model)
    check_training(recipe.training)
    tell_changed_annotations(train_set)
    fit_identities(recipe.model, train_set.identity_count, train_set.annotation_file, logging.WARNING)
    place = torch.device(device)
    with (
        joined_processes(place),
        Interruption() as interruption,
        explained_failures(interruption, work_dir),
        locked(work_dir),
    ):
        torch.manual_seed(recipe.training.get("seed", 0))
        model = build_retriever(recipe.model)
        _check_trainable(model, name)
        fingerprint = training_fingerprint(recipe, train_set, validation_set)
        is_resumed = resume and bool(checkpoint_files(work_dir))
        if weights is not None and not is_resumed:
            load_starting_weights(model, weights)
        add_adapters(model, adapter_settings(recipe.training))
        set_up = set_up_objectives(model)  # after the weights that it may copy, and before the checkpoint that has it
        checkpoint = last_checkpoint(work_dir, model) if resume else None
        _check_same_everywhere(checkpoint, work_dir)
        if checkpoint is not None:
            check_fingerprint(checkpoint, fingerprint, train_set.root)
            check_averages(checkpoint, average_settings(recipe.training))
            _tell_lost_best(work_dir)
        elif weights is None:
            what = "CLIP's or its own" if can_start_from_clip(model) else "its own"
            logger.warning("%s: weights are random at the start; --weights FILE starts from %s", name, what)
        runner = build_runner(
            recipe.training,
            model.to(place),
            train_set,
            validation_set,
            work_dir,
            checkpoint=checkpoint,
            fingerprint=fingerprint,
            interruption=interruption,
            max_minutes=max_minutes,
            tensorboard=tensorboard,
            set_up=set_up,
        )
        _run(runner)
        return _keep_selected(_Trained(model, runner.epoch, frozenset(set_up)), work_dir, resolved, recipe, data)


@dataclass(frozen=True)
class _Trained:
    """A model at the end of its training.

    Attributes:
        model: The model.
        epoch: The last epoch.
        set_up: Names of tensors that objectives added for the training.
    """

    model: DualEncoder
    epoch: int
    set_up: frozenset[str]

    def state(self) -> dict[str, Tensor]:
        """Return the tensors that are part of the model after the training, too."""
        left_out = self.set_up | {plain_name(name) for name in self.set_up}  # a copy of a tower is merged with it
        return {name: value for name, value in self.model.state_dict().items() if name not in left_out}


def _check_trainable(model: nn.Module, name: str) -> None:
    """Raise ConfigError where a model has nothing to learn from, or nothing that learns."""
    if hasattr(model, "objectives") and not model.objectives:
        raise no_objective(name)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(
            f"{type(model).__name__}, the model of {name}, has no parameters, so there is nothing to train"
        )


def _check_same_everywhere(checkpoint: Path | None, work_dir: Path) -> None:
    """Raise ConfigError where processes would go on from different checkpoints, each with other weights."""
    names = [path.name if path else "none" for path in gather_objects(checkpoint)]
    if len(set(names)) > 1:
        found = ", ".join(f"process {rank} {name}" for rank, name in enumerate(names))
        raise ConfigError(
            f"the processes find different checkpoints in {work_dir}: {found}; name a --work-dir that all machines"
            " share, or copy the checkpoint to each of them"
        )


def _tell_lost_best(work_dir: Path) -> None:
    """Warn where the history knows the best epoch so far, and its weights are lost."""
    is_validated = any("validation" in row for row in read_history(work_dir))
    if is_main_process() and is_validated and best_epoch(work_dir / BEST_WEIGHTS) is None:
        logger.warning(
            "%s is missing or damaged: the best epoch is chosen among those from now on, or else the last one is kept",
            work_dir / BEST_WEIGHTS,
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


def _keep_selected(
    trained: _Trained,
    work_dir: Path,
    resolved: ResolvedModel,
    recipe: ConfigDict,
    data: TrainingData,
) -> TrainingResult:
    """Write the weights of the best epoch, or of the last one, as safetensors; whole numbers keep their type."""
    name, training, validation_set, train_set = resolved.name, recipe.training, data.validation, data.train
    dtype = WEIGHTS_DTYPES[training.get("weights_dtype", "float32")]
    best = best_epoch(work_dir / BEST_WEIGHTS) if validation_set is not None else None
    epoch, state = (best[0], read_weights(work_dir / BEST_WEIGHTS)) if best else (trained.epoch, trained.state())
    path = work_dir / f"{name}.safetensors"
    about = {
        "tipr_zoo_version": __version__,
        **origin_texts(name, resolved.card.plugin, resolved.card.config, recipe.to_dict()),
        "seed": str(training.get("seed", 0)),
        "epoch": str(epoch),
        "selected_on": validation_set.split if best and validation_set else "none",
        "dataset": train_set.name,
        "dataset_sha256": train_set.sha256,
        **average_texts(training),
    }
    if (adapters := adapter_settings(training)) is not None:
        trained.model.load_state_dict(state, strict=False)  # what objectives were set up with is no part of it
        state = _merged(trained, adapters, work_dir / f"{name}.adapter.safetensors", about)
    if is_main_process():
        stored = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}
        write_weights(stored, path, about)
    return TrainingResult(path, epoch, validation_of(work_dir, epoch), about["selected_on"])


def _merged(trained: _Trained, adapters: Adapters, file: Path, about: dict[str, str]) -> dict[str, Tensor]:
    """Write the adapters apart, and return the weights with them merged, as a plain model has them."""
    if is_main_process() and not adapters.train_base:
        save_adapters(trained.model, adapters, file, about)
        logger.warning("%s holds the adapters alone; the model's weights have them merged", file)
    elif is_main_process():
        logger.warning("the towers learnt as well (training.adapters.train_base), so no file has the adapters alone")
    merge_adapters(trained.model)
    about[MERGED] = f"{adapters.type} of rank {adapters.r} on {', '.join(adapters.targets)}"
    return trained.state()
