"""MMEngine's Runner, with everything of a recipe in it."""

from __future__ import annotations

import os
import re
import shutil
import uuid
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.distributed import is_main_process, process_count
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.evaluation.reranking import Reranking, check_can_rerank
from tipr_zoo.training.checkpoints.best_weights_hook import BestWeightsHook
from tipr_zoo.training.checkpoints.checkpoint_hook import CheckpointHook
from tipr_zoo.training.checkpoints.reading import loaded_by_mmengine
from tipr_zoo.training.loop.compiled_blocks import compile_blocks
from tipr_zoo.training.loop.global_batch import synchronise_features
from tipr_zoo.training.loop.hook_caller import HookCaller
from tipr_zoo.training.loop.hooks import LearningRateHook, RandomStateHook, TimeLimitHook
from tipr_zoo.training.loop.interruption import Interruption, InterruptionHook
from tipr_zoo.training.loop.linear_products_hook import LinearProductsHook
from tipr_zoo.training.loop.moving_average import MovingAverageHook, average_settings
from tipr_zoo.training.loop.optim_wrapper import TrainingOptimWrapper
from tipr_zoo.training.loop.optimiser import build_optimiser
from tipr_zoo.training.loop.parameter_groups import freeze_parameters
from tipr_zoo.training.loop.progress_hook import ProgressHook
from tipr_zoo.training.loop.recipe_schedule import recipe_schedule
from tipr_zoo.training.loop.runner_model import RunnerModel
from tipr_zoo.training.loop.tower_blocks import checkpoint_gradients
from tipr_zoo.training.loop.train_loop import TrainLoop
from tipr_zoo.training.loop.validation_loop import ValidationLoop
from tipr_zoo.training.pairs.training_loader import training_loader
from tipr_zoo.training.training_hooks import build_hooks

_OF_A_RUN = re.compile(r"\d{8}_\d{6}")
"""How MMEngine names what it writes: by the time."""


def build_runner(
    training: Any,
    model: DualEncoder,
    train_set: PersonDataset,
    validation_set: PersonDataset | None,
    work_dir: Path,
    *,
    checkpoint: Path | None,
    fingerprint: dict[str, Any],
    interruption: Interruption,
    max_minutes: float | None = None,
    more_hooks: Sequence[Hook] = (),
    note: Callable[[str], None] | None = None,
    set_up: Collection[str] = (),
) -> Runner:
    """Build everything that a training needs.

    Args:
        training: The recipe's ``training`` entry.
        model: The model, on the device where it is to be trained.
        train_set: What to train on.
        validation_set: What the best epoch is chosen on; None for no validation.
        work_dir: Where everything goes.
        checkpoint: What to go on from; None to begin anew.
        fingerprint: What checkpoints note of the run.
        interruption: Notes signals.
        max_minutes: See `tipr_zoo.training.train.train`.
        more_hooks: What else is done around the steps, after all of the training's own hooks of the same priority.
        note: What the lines of the progress are given to.
        set_up: What `tipr_zoo.models.objective_setup.set_up_objectives` has added; the best weights are without it.

    Raises:
        ConfigError: An entry makes no sense, or pictures are to be ranked again and the model cannot do it.
        UnknownNameError: There is no such sampler, augmentation, optimiser or entry.
    """
    device = next(model.parameters()).device
    freeze_parameters(model, training.get("parameter_patterns", ()))
    checkpoint_gradients(model, training.get("gradient_checkpointing", False))
    compiled = compile_blocks(model, training, device)
    own_hooks = build_hooks(training)
    loader = training_loader(training, model, train_set, own_hooks)
    optim_wrapper = _optim_wrapper(training, model, device)
    checkpoints = CheckpointHook(work_dir, fingerprint, set_up)
    figures: dict[str, float | None] = {}
    hooks: list[Hook | None] = [
        LearningRateHook(recipe_schedule(training, len(loader), optim_wrapper.optimizer)),
        RandomStateHook(training.get("seed", 0)),
        BestWeightsHook(model, work_dir, set_up),
        ProgressHook(work_dir, note, figures),
        LinearProductsHook(),
        checkpoints,
        InterruptionHook(interruption, checkpoints, device),
        compiled,
        HookCaller(own_hooks, training.get("seed", 0), figures),
        MovingAverageHook(model, average) if (average := average_settings(training)) is not None else None,
        TimeLimitHook(max_minutes, device) if max_minutes is not None else None,
        *more_hooks,
    ]
    runner = Runner(
        model=_spread(RunnerModel(model, training.get("precision", "float32")), training, device),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg={
            "type": TrainLoop,
            "max_epochs": training.max_epochs,
            "val_interval": training.get("validate_every", 1),
        },
        optim_wrapper=optim_wrapper,
        default_hooks={"logger": None, "param_scheduler": None, "checkpoint": None, "timer": None},
        custom_hooks=[hook for hook in hooks if hook is not None],
        randomness={"seed": training.get("seed", 0)},
        load_from=loaded_by_mmengine(checkpoint) if checkpoint else None,
        resume=checkpoint is not None,
        log_level="ERROR",
        # MMEngine keeps what it notes of a run under this name for as long as the process lives.
        experiment_name=uuid.uuid4().hex,
        **_validation(model, validation_set, training.get("rerank", 0)),
    )
    runner.model.to(device)  # MMEngine takes a GPU wherever there is one
    if is_main_process():
        _tidy(runner)
    return runner


def _validation(model: DualEncoder, validation_set: PersonDataset | None, rerank: int) -> dict[str, Any]:
    """Return what MMEngine's Runner needs to validate; nothing where there is no split to validate on."""
    if validation_set is None:
        return {}
    check_can_rerank(model, Reranking(rerank))  # before the first epoch, not after it
    return {
        "val_dataloader": DataLoader(validation_set),  # type: ignore[arg-type]
        "val_cfg": {"type": ValidationLoop, "rerank": rerank},
        "val_evaluator": Evaluator([]),
    }


def _spread(model: RunnerModel, training: Mapping[str, Any], device: torch.device) -> nn.Module:
    """Wrap the model, so that its gradients are averaged over the processes where there are several."""
    if process_count() == 1:
        return model
    synchronise_features(model.retriever)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # newer versions of PyTorch have another name for the argument
        return MMDistributedDataParallel(
            module=model,
            device_ids=[device] if device.type == "cuda" else None,
            broadcast_buffers=False,  # they are the same in every process
            find_unused_parameters=training.get("find_unused_parameters", False),
        )


def _optim_wrapper(training: Any, model: DualEncoder, device: torch.device) -> TrainingOptimWrapper:
    """Build the optimiser with accumulation, clipping and, for float16, scaling."""
    return TrainingOptimWrapper(
        build_optimiser(
            model,
            training.optimizer,
            training.get("parameter_groups", {}),
            training.get("parameter_patterns", ()),
            training.get("layer_decay"),
        ),
        accumulate=training.get("accumulate_steps", 1),
        clip_norm=training.get("clip_gradient_norm"),
        scaler=torch.amp.GradScaler(device.type) if training.get("precision") == "float16" else None,
    )


def _tidy(runner: Runner) -> None:
    """Remove the empty folder and the empty recipe that MMEngine leaves in a work dir at each start.

    Those of a run that was killed before it came to this are removed, too.
    """
    for path in Path(runner.work_dir).iterdir():
        if _OF_A_RUN.fullmatch(path.stem) and _is_empty(path):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == ".py":
                path.unlink(missing_ok=True)


def _is_empty(path: Path) -> bool:
    """Tell whether there is nothing in a file, or in any file of a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return all(file.stat().st_size <= len(os.linesep) for file in files)  # MMEngine ends even an empty recipe's line
