"""A training that is not done: what it finds, how large it is, how long a step takes, and what it would write."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import ConfigDict
from torch import nn

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.distributed import joined_processes
from tipr_zoo.errors import ConfigError, error_line
from tipr_zoo.machine.devices import describe_device
from tipr_zoo.machine.processes import available_cores
from tipr_zoo.machine.result_place import check_folder
from tipr_zoo.models.resolved_model import ResolvedModel
from tipr_zoo.training.checkpoints.files import checkpoint_epoch, checkpoint_files, last_checkpoint
from tipr_zoo.training.checkpoints.fingerprint import check_fingerprint, training_fingerprint
from tipr_zoo.training.loop.failures import explained_failures
from tipr_zoo.training.loop.hook_caller import HookCaller
from tipr_zoo.training.loop.interruption import Interruption
from tipr_zoo.training.loop.moving_average import average_settings, check_averages
from tipr_zoo.training.loop.runner import build_runner
from tipr_zoo.training.measured_step import MeasuredStep, measured_step, pair_flops
from tipr_zoo.training.pairs.training_data import TrainingData
from tipr_zoo.training.starting_model import starting_model
from tipr_zoo.training.trail.disk_use import PlannedFile, check_room
from tipr_zoo.training.trail.trail import Start, Trail
from tipr_zoo.training.train import check_work_dir, checked_recipe


@dataclass(frozen=True)
class FoundSplit:
    """A split that was found.

    Attributes:
        use: What it is for, ``"training"`` or ``"choosing the epoch"``.
        dataset: Name of the data set.
        split: Which split it is.
        folder: Where it lies.
        pictures: Number of pictures.
        captions: Number of captions.
        identities: Number of identities.
    """

    use: str
    dataset: str
    split: str
    folder: str
    pictures: int
    captions: int
    identities: int


@dataclass(frozen=True)
class Part:
    """A part of the model. Parameters that several parts share count for the first of them.

    Attributes:
        name: Its name in the model.
        parameters: Number of its parameters.
        trainable: Those of them that learn.
    """

    name: str
    parameters: int
    trainable: int


@dataclass(frozen=True)
class DryRun:
    """What a training would be.

    Attributes:
        name: The model's name.
        device: Where it would be trained, in words.
        splits: The data.
        parts: The model.
        forward_flops: Floating-point operations of a pair, forward; a multiplication and an addition count as two. None
            where they cannot be counted.
        step_flops: The same, forward and backward.
        batch_size: Pairs of a step.
        steps: Steps of an epoch.
        epochs: Length of the training.
        goes_on_from: The checkpoint that it goes on from.
        epochs_left: Epochs from there.
        step: What a step costs.
        epoch_seconds: About how long an epoch takes, without its validation.
        pass_seconds: The share of it in which hooks go through all pairs, as `TrainingRun.measure_pairs` does.
        files: What would be written.
        room: Whether the disk has room for it, in words.
        fits: Whether it has.
    """

    name: str
    device: str
    splits: list[FoundSplit]
    parts: list[Part]
    forward_flops: int | None
    step_flops: int | None
    batch_size: int
    steps: int
    epochs: int
    goes_on_from: str | None
    epochs_left: int
    step: MeasuredStep
    epoch_seconds: float
    pass_seconds: float
    files: list[PlannedFile]
    room: str
    fits: bool


def dry_run(
    resolved: ResolvedModel,
    data: TrainingData,
    work_dir: Path,
    *,
    weights: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    trail: Trail | None = None,
) -> DryRun:
    """Do the first steps of a training, and forget them. Nothing is written in the work dir, nor changed there.

    Args:
        resolved: The model, with the overrides in its recipe.
        data: What to train and to choose the epoch on.
        work_dir: Where the training would write; it need not be there.
        weights: See `tipr_zoo.training.train.train`.
        resume: See `tipr_zoo.training.train.train`.
        device: See `tipr_zoo.training.train.train`.
        trail: What the training would leave.

    Raises:
        TiprZooError: As the training would raise it.
    """
    trail = trail or Trail()
    check_work_dir(work_dir, resume)
    check_folder(work_dir)
    recipe = checked_recipe(resolved, data)
    workers, place = recipe.training.get("num_workers", 2), torch.device(device)
    interruption = Interruption()  # it takes no signal, since there is nothing to save
    with (
        joined_processes(place),
        explained_failures(interruption, work_dir),
        tempfile.TemporaryDirectory() as scratch,
    ):
        is_resumed = resume and bool(checkpoint_files(work_dir))
        started = starting_model(resolved.name, recipe, None if is_resumed else weights)
        checkpoint = last_checkpoint(work_dir, started.model) if resume else None
        if checkpoint is not None:
            now = training_fingerprint(recipe, data.train, data.validation)
            check_fingerprint(checkpoint, now, data.train.root)
            check_averages(checkpoint, average_settings(recipe.training))
        start = Start(resolved, recipe, data, work_dir, place, weights, checkpoint)
        trail.hooks(start)  # tells what is not installed
        runner = build_runner(
            ConfigDict({**recipe.training, "num_workers": 0}),
            started.model.to(place),
            data.train,
            None,
            Path(scratch),
            checkpoint=None,
            fingerprint={},
            interruption=interruption,
            set_up=started.set_up,
        )
        for hook in runner.hooks:
            if isinstance(hook, HookCaller):
                hook.most_batches = 2  # a pass over all pairs takes too long for a look at what a step costs
        step = measured_step(runner, started.model, place)
        callers = [hook for hook in runner.hooks if isinstance(hook, HookCaller)]
        passing = sum(caller.run.left_out_seconds for caller in callers if caller.run is not None)
        files = trail.planned_files(start, runner)
        flops = pair_flops(runner, started.model)
        steps, epochs = len(runner.train_dataloader), int(recipe.training.max_epochs)
    done = checkpoint_epoch(checkpoint) or 0 if checkpoint else 0
    room, fits = _room(work_dir, files, epochs)
    loading = step.loading_seconds
    each = max(step.seconds, loading / min(workers, available_cores())) if workers else step.seconds + loading
    return DryRun(
        resolved.name,
        describe_device(place),
        [_found(data.train, "training"), *([_found(data.validation, "choosing the epoch")] if data.validation else [])],
        _parts(started.model),
        *flops,
        int(recipe.training.batch_size),
        steps,
        epochs,
        checkpoint.name if checkpoint else None,
        max(0, epochs - done),
        step,
        each * steps + passing,
        passing,
        files,
        room,
        fits,
    )


def _room(work_dir: Path, files: list[PlannedFile], epochs: int) -> tuple[str, bool]:
    try:
        return check_room(work_dir, files, epochs), True
    except ConfigError as error:
        return error_line(error), False


def _found(split: PersonDataset, use: str) -> FoundSplit:
    return FoundSplit(
        use,
        split.name,
        split.split,
        str(split.root),
        len(split.pictures),
        len(split.captions),
        split.identity_count,
    )


def _parts(model: nn.Module) -> list[Part]:
    """Return the parts of a model that have parameters; objectives one by one."""
    seen: set[int] = set()
    parts: list[Part] = []
    for name, child in model.named_children():
        inner = dict(child.named_children()) if isinstance(child, nn.ModuleDict) else {}
        for part, module in {f"{name}.{key}": value for key, value in inner.items()}.items() or [(name, child)]:
            parts += _part(part, module, seen)
    return parts + _part("further parameters", model, seen)


def _part(name: str, module: nn.Module, seen: set[int]) -> list[Part]:
    """Return a part with the parameters that were not seen yet; nothing where there are none."""
    new = {id(value): value for value in module.parameters() if id(value) not in seen}
    seen.update(new)
    counts = [(value.numel(), value.requires_grad) for value in new.values()]
    trainable = sum(count for count, learns in counts if learns)
    return [Part(name, sum(count for count, _ in counts), trainable)] if counts else []
