"""The checkpoints of a work dir: their names, and which of them a training goes on from."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor, nn

from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.checkpoints.reading import check_entries
from tipr_zoo.weights.tensors import read_weights
from tipr_zoo.weights.whole_checkpoint import check_checksums

_NAME = re.compile(r"epoch_(\d+)(?:_step_(\d+))?\.pth")


def checkpoint_name(epoch: int, step: int) -> str:
    """Return the file name of a checkpoint after some whole epochs and some steps of the next.

    >>> checkpoint_name(3, 0), checkpoint_name(3, 20)
    ('epoch_3.pth', 'epoch_3_step_20.pth')
    """
    return f"epoch_{epoch}_step_{step}.pth" if step else f"epoch_{epoch}.pth"


def checkpoint_files(work_dir: Path) -> list[Path]:
    """Return the checkpoints of a work dir, the latest first."""
    found = {file: match for file in work_dir.glob("epoch_*.pth") if (match := _NAME.fullmatch(file.name))}
    return sorted(found, key=lambda file: (int(found[file][1]), int(found[file][2] or 0)), reverse=True)


def checkpoint_epoch(file: Path) -> int | None:
    """Return after how many whole epochs a checkpoint was written; None for a file of another name."""
    match = _NAME.fullmatch(file.name)
    return int(match[1]) if match else None


def last_checkpoint(work_dir: Path, model: nn.Module) -> Path | None:
    """Return the last checkpoint that can be read. Where there is none at all, return None and say so.

    A file may be damaged, for example by a failing disk, or be no checkpoint of a training. Such a file is told and
    left out; the one before it is tried.

    Args:
        work_dir: Where the training writes.
        model: What is trained. MMEngine would load what fits and leave the rest as it is.

    Raises:
        ConfigError: The checkpoint is of a model with other parameters.
        WeightsError: There are checkpoints, and none can be read.
    """
    files = checkpoint_files(work_dir)
    if not files:
        logger.warning("%s holds no checkpoint to go on from: the training starts from its beginning", work_dir)
        return None
    for file in files:
        try:
            state = _read_checkpoint(file)
        except WeightsError as error:
            logger.warning("%s; the checkpoint before it is tried", error)
            continue
        own = {name: tensor.shape for name, tensor in model.state_dict().items()}
        found = {name: tensor.shape for name, tensor in state.items()}
        if different := sorted(name for name in own.keys() | found.keys() if own.get(name) != found.get(name)):
            raise ConfigError(
                f"{file} is of another model or data set: {different[0]} differs; train with the same options, or anew"
                " in another --work-dir"
            )
        return file
    raise WeightsError(f"no checkpoint in {work_dir} can be read; train anew in another --work-dir")


def _read_checkpoint(file: Path) -> dict[str, Tensor]:
    """Read the parameters in a checkpoint, and look at all of the file.

    Raises:
        WeightsError: It is damaged, or no checkpoint of a training.
    """
    state = read_weights(file)
    check_entries(file)
    check_checksums(file)
    return state
