"""Training a model of the zoo by its recipe."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from tipr_zoo.building import build_dual_encoder
from tipr_zoo.card_index import load_card
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.recipe import import_plugins, load_recipe
from tipr_zoo.starting_weights import load_starting_weights
from tipr_zoo.training.checkpoints import last_checkpoint
from tipr_zoo.training.hooks import (
    CheckpointContentsHook,
    LearningRateHook,
    ProgressHook,
    RandomStateHook,
    TimeLimitHook,
)
from tipr_zoo.training.optimiser import build_optimiser
from tipr_zoo.training.runner_model import RunnerModel
from tipr_zoo.training.schedule import Schedule
from tipr_zoo.training.training_loader import training_loader
from tipr_zoo.training.training_settings import WEIGHTS_DTYPES, check_training, settings
from tipr_zoo.training.validation_loop import ValidationLoop
from tipr_zoo.weights import read_weights, write_weights

logger = logging.getLogger("tipr_zoo")


@dataclass(frozen=True)
class TrainingResult:
    """What a training left behind.

    Attributes:
        weights: The weights of the best epoch on validation, or of the last one where there was no validation.
        selected_epoch: That epoch, from 1.
        validation: Its figures in percent; empty without validation.
    """

    weights: Path
    selected_epoch: int
    validation: dict[str, float]


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
) -> TrainingResult:
    """Train a model by its recipe, keeping a checkpoint an epoch and the best one on validation.

    Args:
        name: The model's name.
        train_set: What to train on.
        validation_set: What the best epoch is chosen on; None to take the last epoch.
        work_dir: Where checkpoints, ``history.jsonl`` and the final weights go.
        weights: Weights to start from instead of random ones: the model's own; OpenAI-format CLIP weights for its
            towers, whose position grid is resized to the model's; or a checkpoint of the official code of IRRA, SEN or
            FMFA, such as NAM's and HAM's (`tipr_zoo.starting_weights.load_starting_weights`).
        resume: Continue from the last checkpoint in `work_dir`, if there is one.
        overrides: Entries of the recipe to change, by dotted name.
        max_minutes: Stop at the end of the epoch in which this time is up.
        device: ``"cpu"`` or ``"cuda"``.

    Raises:
        ConfigError: The recipe makes no sense, or `work_dir` holds another training and `resume` is not set.
    """
    if not resume and any(work_dir.glob("epoch_*.pth")):
        raise ConfigError(
            f"{work_dir} holds checkpoints of a training; pass --resume to continue it, or another --work-dir"
        )
    card = load_card(name)
    recipe = load_recipe(card, overrides)
    import_plugins(card, recipe)
    check_training(recipe.training)
    _fit_classifier(recipe.model, train_set)
    torch.manual_seed(recipe.training.get("seed", 0))
    model = build_dual_encoder(recipe.model)
    if weights is not None:
        load_starting_weights(model, weights)
    elif not resume:
        logger.warning("%s: training starts from random weights; --weights FILE starts from CLIP's or its own", name)
    runner = _runner(recipe.training, model.to(device), train_set, validation_set, work_dir, resume, max_minutes)
    runner.model.to(device)  # MMEngine takes a GPU wherever there is one
    try:
        with redirect_stdout(sys.stderr):  # MMEngine prints what it loads
            runner.train()
    except DataError as error:  # one from a worker process carries a printed traceback
        raise DataError(str(error).rpartition("DataError: ")[2].strip()) from error
    finally:
        for hook in runner.hooks:
            if isinstance(hook, ProgressHook):
                hook.close()
    dtype = WEIGHTS_DTYPES[recipe.training.get("weights_dtype", "float32")]
    return _keep_selected(runner, model, work_dir, name, dtype)


def _fit_classifier(model: Any, train_set: PersonDataset) -> None:
    """Give the identity classifier as many classes as the training split has identities, and say so."""
    head = model.get("heads", {}).get("id")
    if head is not None and head.get("num_identities") != train_set.identity_count:
        logger.warning("id head: %d identities, as in %s", train_set.identity_count, train_set.annotation_file)
        head.num_identities = train_set.identity_count


def _runner(
    training: Any,
    model: DualEncoder,
    train_set: PersonDataset,
    validation_set: PersonDataset | None,
    work_dir: Path,
    resume: bool,
    max_minutes: float | None,
) -> Runner:
    """MMEngine's Runner with everything of a recipe's ``training`` entry in it."""
    optimiser = build_optimiser(model, training.optimizer, training.get("parameter_groups", {}))
    clip = training.get("clip_gradient_norm")
    every = training.get("validate_every", 1)
    hooks = [
        LearningRateHook(settings(Schedule, training, "schedule")),
        RandomStateHook(training.get("seed", 0)),
        ProgressHook(work_dir / "history.jsonl"),
        CheckpointContentsHook(),
        CheckpointHook(interval=1, max_keep_ckpts=2, save_best="R1" if validation_set else None, rule="greater"),
    ]
    if max_minutes is not None:
        hooks.append(TimeLimitHook(max_minutes))
    checkpoint = last_checkpoint(work_dir, model) if resume else None
    validation = {}
    if validation_set is not None:
        validation = {
            "val_dataloader": DataLoader(validation_set),  # type: ignore[arg-type]
            "val_cfg": {"type": ValidationLoop},
            "val_evaluator": Evaluator([]),
        }
    return Runner(
        model=RunnerModel(model, training.get("precision", "float32")),
        work_dir=str(work_dir),
        train_dataloader=training_loader(training, model, train_set),
        train_cfg={"by_epoch": True, "max_epochs": training.max_epochs, "val_interval": every},
        optim_wrapper=OptimWrapper(optimiser, clip_grad={"max_norm": clip} if clip else None),
        default_hooks={"logger": None, "param_scheduler": None, "checkpoint": None, "timer": None},
        custom_hooks=hooks,
        randomness={"seed": training.get("seed", 0)},
        load_from=checkpoint,
        resume=checkpoint is not None,
        log_level="ERROR",
        # MMEngine keeps what it notes of a run, the best epoch too, under this name for as long as the process lives.
        experiment_name=uuid.uuid4().hex,
        **validation,
    )


def _keep_selected(runner: Runner, model: DualEncoder, work_dir: Path, name: str, dtype: torch.dtype) -> TrainingResult:
    """Write the weights of the best epoch, or of the last one, as safetensors; whole numbers keep their type."""
    best = runner.message_hub.runtime_info.get("best_ckpt")
    if best:
        file = work_dir / Path(best).name  # the folder may have been moved since
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
        state, epoch = read_weights(file), int(checkpoint["meta"]["epoch"])
    else:
        state, epoch = model.state_dict(), runner.epoch
    path = work_dir / f"{name}.safetensors"
    write_weights({key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}, path)
    return TrainingResult(path, epoch, _validation_of(epoch, work_dir / "history.jsonl"))


def _validation_of(epoch: int, history: Path) -> dict[str, float]:
    """The validation figures of an epoch, as the history has them; empty where it was not validated."""
    rows = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()] if history.is_file() else []
    found = [row["validation"] for row in rows if row["epoch"] == epoch and "validation" in row]
    return found[-1] if found else {}
