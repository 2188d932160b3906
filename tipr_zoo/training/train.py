"""Training a model of the zoo by its recipe."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
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
from tipr_zoo.errors import ConfigError
from tipr_zoo.plugins import import_plugin
from tipr_zoo.recipe import load_recipe
from tipr_zoo.training.augmentation import Augmentation
from tipr_zoo.training.hooks import CheckpointContentsHook, LearningRateHook, ProgressHook, TimeLimitHook
from tipr_zoo.training.optimiser import build_optimiser
from tipr_zoo.training.runner_model import RunnerModel
from tipr_zoo.training.schedule import Schedule
from tipr_zoo.training.training_pairs import ShuffledPairs, TrainingPairs, collate_trimmed_pairs
from tipr_zoo.training.validation_loop import ValidationLoop
from tipr_zoo.weights import load_weights, read_weights

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
        weights: Weights to start from instead of random ones.
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
    if card.plugin is not None:
        import_plugin(card.plugin)
    recipe = load_recipe(card, overrides)
    _fit_classifier(recipe.model, train_set)
    torch.manual_seed(recipe.training.get("seed", 0))
    model = build_dual_encoder(recipe.model)
    if weights is not None:
        load_weights(model, weights)
    runner = _runner(recipe.training, model.to(device), train_set, validation_set, work_dir, resume, max_minutes)
    runner.train()
    return _keep_selected(runner, model, work_dir, name)


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
    seed = training.get("seed", 0)
    pairs = TrainingPairs(
        train_set, model, Augmentation(**training.get("augmentation", {})), seed, training.get("masking", True)
    )
    lengths, trim = pairs.caption_ids.argmax(dim=1) + 1, training.get("trim_padding", False)
    workers = training.get("num_workers", 2)
    loader = DataLoader(
        pairs,
        batch_size=training.batch_size,
        sampler=ShuffledPairs(lengths, seed, training.batch_size if trim else 0),
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=collate_trimmed_pairs if trim else None,
        drop_last=len(pairs) >= training.batch_size,
    )
    optimiser = build_optimiser(model, training.optimizer, training.get("parameter_groups", {}))
    clip = training.get("clip_gradient_norm")
    every = training.get("validate_every", 1)
    hooks = [
        LearningRateHook(Schedule(**training.get("schedule", {}))),
        ProgressHook(work_dir / "history.jsonl"),
        CheckpointContentsHook(),
        CheckpointHook(interval=1, max_keep_ckpts=2, save_best="R1" if validation_set else None, rule="greater"),
    ]
    if max_minutes is not None:
        hooks.append(TimeLimitHook(max_minutes))
    validation = {}
    if validation_set is not None:
        validation = {
            "val_dataloader": DataLoader(validation_set),  # type: ignore[arg-type]
            "val_cfg": {"type": ValidationLoop},
            "val_evaluator": Evaluator([]),
        }
    return Runner(
        model=RunnerModel(model),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg={"by_epoch": True, "max_epochs": training.max_epochs, "val_interval": every},
        optim_wrapper=OptimWrapper(optimiser, clip_grad={"max_norm": clip} if clip else None),
        default_hooks={"logger": None, "param_scheduler": None, "checkpoint": None, "timer": None},
        custom_hooks=hooks,
        randomness={"seed": seed},
        resume=resume,
        log_level="ERROR",
        experiment_name="training",
        **validation,
    )


def _keep_selected(runner: Runner, model: DualEncoder, work_dir: Path, name: str) -> TrainingResult:
    """Write the weights of the best epoch, or of the last one, as safetensors."""
    best = runner.message_hub.runtime_info.get("best_ckpt")
    if best:
        checkpoint = torch.load(best, map_location="cpu", weights_only=True)
        state, epoch = read_weights(Path(best)), int(checkpoint["meta"]["epoch"])
    else:
        state, epoch = model.state_dict(), runner.epoch
    path = work_dir / f"{name}.safetensors"
    safetensors.torch.save_file({key: value.cpu().contiguous() for key, value in state.items()}, path)
    return TrainingResult(path, epoch, {})
