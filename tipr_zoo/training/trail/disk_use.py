"""The files that a training is going to write, how large they will be, and whether the disk has room for them."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tipr_zoo.errors import ConfigError
from tipr_zoo.training.adapters import adapter_settings, saved_tensors
from tipr_zoo.training.checkpoints.best_weights import BEST, BEST_WEIGHTS
from tipr_zoo.training.checkpoints.checkpoint_hook import KEPT
from tipr_zoo.training.checkpoints.history import HISTORY
from tipr_zoo.training.checkpoints.work_dir_lock import LOCK
from tipr_zoo.training.settings import WEIGHTS_DTYPES
from tipr_zoo.training.trail.curves_hook import CURVES
from tipr_zoo.training.trail.recipe_file import RECIPE
from tipr_zoo.training.trail.run_file import RUNS
from tipr_zoo.training.trail.train_log import LOG

CLOSE = 1.5
"""A disk with less room than so many times what is needed is told."""

_STATES = 3
"""Tensors that an optimiser keeps of a parameter."""

_OF_A_TENSOR, _OF_AN_EPOCH, _OF_A_FIGURE, _OF_THE_REST = 400, 600, 60, 200_000
"""Bytes, measured and rounded up: what a file says of a tensor, the history of an epoch, TensorBoard of a figure, and
the log, the curves and the recipe together."""

_OF_A_RUN = {"wandb": 20_000}
"""Bytes that a folder has besides its figures, likewise."""


@dataclass(frozen=True)
class PlannedFile:
    """A file or folder that a training writes.

    Attributes:
        name: Its name in the work dir.
        bytes: About how large it will be.
        about: What it is, in a few words.
        count: How many there are at most at a time.
    """

    name: str
    bytes: int
    about: str
    count: int = 1


def planned_files(
    name: str,
    training: Mapping[str, Any],
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    *,
    steps: int,
    is_validated: bool,
    more: Sequence[str] = (),
) -> list[PlannedFile]:
    """List what a training writes.

    Args:
        name: The model's name.
        training: The recipe's ``training`` entry.
        model: What is trained.
        optimiser: What it is trained with.
        steps: Steps of an epoch.
        is_validated: Whether a best epoch is chosen.
        more: Folders that it also writes, such as ``tensorboard``.
    """
    state = model.state_dict().values()
    weights = sum(value.numel() * value.element_size() + _OF_A_TENSOR for value in state)
    width = WEIGHTS_DTYPES[training.get("weights_dtype", "float32")].itemsize
    final = sum(value.numel() * (width if value.is_floating_point() else value.element_size()) for value in state)
    learning = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    checkpoint = weights + state_bytes(optimiser) + _OF_A_TENSOR * _STATES * len(learning)
    if training.get("ema") is not None:
        checkpoint += sum(value.numel() * value.element_size() + _OF_A_TENSOR for value in learning)
    epochs, figures = int(training["max_epochs"]), 8 * steps * int(training["max_epochs"])
    files = [
        PlannedFile(
            "epoch_N.pth",
            checkpoint,
            f"checkpoints, the last {KEPT}, and one more at a time",
            KEPT + 1,
        ),
        PlannedFile(f"{name}.safetensors", final + _OF_A_TENSOR * len(state), "the final weights"),
        PlannedFile(HISTORY, _OF_AN_EPOCH * epochs, "losses, rates, norms and figures of every epoch"),
        PlannedFile(f"{LOG}, {RUNS}, {RECIPE}, {CURVES}, {BEST}, {LOCK}", _OF_THE_REST, "what was run, said and seen"),
    ]
    if is_validated:
        about = "weights of the best epoch, where no checkpoint has them"
        files.insert(1, PlannedFile(BEST_WEIGHTS, weights, about))
    if (adapters := adapter_settings(training)) is not None and not adapters.train_base:
        kept = saved_tensors(model).values()
        size = sum(value.numel() * value.element_size() + _OF_A_TENSOR for value in kept)
        files.append(PlannedFile(f"{name}.adapter.safetensors", size, "the adapters alone"))
    folders = {folder: _OF_A_FIGURE * figures + _OF_A_RUN.get(folder, 0) for folder in more}
    return files + [PlannedFile(f"{folder}/", size, "figures of every step") for folder, size in folders.items()]


def state_bytes(optimiser: torch.optim.Optimizer) -> int:
    """Return how large the state of an optimiser is, or will be after its first step.

    It is tried on one parameter where there is no state yet. Two numbers for each are assumed where that fails.
    """
    if optimiser.state:
        held = [value for state in optimiser.state.values() for value in state.values()]
        return sum(value.numel() * value.element_size() for value in held if isinstance(value, torch.Tensor))
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    share = 2.0
    with suppress(Exception), torch.random.fork_rng(devices=[]):
        share = _tried_share(optimiser)
    return round(sum(share * parameter.numel() * parameter.element_size() for parameter in parameters))


def _tried_share(optimiser: torch.optim.Optimizer) -> float:
    """Return how many bytes an optimiser keeps for each byte of a parameter."""
    known = inspect.signature(type(optimiser)).parameters
    options = {key: value for key, value in optimiser.defaults.items() if key in known}
    parameter = nn.Parameter(torch.zeros(64, 64))
    parameter.grad = torch.ones_like(parameter)
    tried = type(optimiser)([parameter], **options)
    tried.step()
    held = [value for value in tried.state[parameter].values() if isinstance(value, torch.Tensor)]
    return sum(value.numel() * value.element_size() for value in held if value.numel() > 1) / (4 * parameter.numel())


def check_room(work_dir: Path, files: Sequence[PlannedFile], max_epochs: int) -> str:
    """Compare what a training writes with what is free on the disk.

    Args:
        work_dir: Where it writes; it need not be there.
        files: From `planned_files`.
        max_epochs: Length of the training, in epochs.

    Returns:
        One line that says both.

    Raises:
        ConfigError: It cannot fit, or a folder lies where one of the files is to be written.
    """
    _check_no_folders(work_dir, files)
    needed = sum(each.bytes * min(each.count, max(1, max_epochs)) for each in files)
    there, folder = 0, work_dir
    if work_dir.is_dir():
        kinds = ("*.pth", "*.safetensors")
        there = sum(file.stat().st_size for kind in kinds for file in work_dir.glob(kind) if file.is_file())
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free, needed = shutil.disk_usage(folder).free, max(0, needed - there)
    line = f"{work_dir} takes up to {in_words(needed)} more, and {in_words(free)} are free on its disk"
    if needed > free:
        raise ConfigError(f"{line}; make room, or name another --work-dir")
    return line + ("; that is close" if needed * CLOSE > free else "")


def _check_no_folders(work_dir: Path, files: Sequence[PlannedFile]) -> None:
    """Raise ConfigError where a folder has the name of a file: some are written at the end of a training alone."""
    for name in ", ".join(each.name for each in files).split(", "):
        if not name.endswith("/") and name != LOCK and (work_dir / name).is_dir():
            raise ConfigError(f"{work_dir / name} is a folder, and a training writes a file of this name; move it away")


def in_words(size: int) -> str:
    """Return a number of bytes for people.

    >>> in_words(1_530_000), in_words(28_400_000_000)
    ('1.5 MB', '28.4 GB')
    """
    for unit, power in (("TB", 12), ("GB", 9), ("MB", 6)):
        if size >= 10**power:
            return f"{size / 10**power:.1f} {unit}"
    return f"{-(-size // 1000)} kB"
