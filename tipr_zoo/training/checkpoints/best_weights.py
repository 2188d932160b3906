"""Where the weights of the best epoch are: in the file that holds them anyway, or else in one of their own.

``best.json`` names the best epoch, its rank-1, and the file that has its weights. That is the epoch's checkpoint as
long as it is kept, then ``best.safetensors``, and the final weights after the training. So nothing is written twice but
the final weights, which are there to be used without a checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tipr_zoo.errors import WeightsError
from tipr_zoo.machine.whole_file import write_whole
from tipr_zoo.outside.files import NOTE_LIMIT, read_text
from tipr_zoo.outside.parsing import parse_json
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.checkpoints.files import checkpoint_epoch
from tipr_zoo.weights.header import read_metadata
from tipr_zoo.weights.tensors import read_weights, write_weights

BEST = "best.json"
"""The file in a work dir that says which epoch is the best, and which file has its weights."""

BEST_WEIGHTS = "best.safetensors"
"""The file that has them where no other has."""


@dataclass(frozen=True)
class Best:
    """The best epoch so far.

    Attributes:
        epoch: Its number, from 1.
        rank_1: Its rank-1 on validation, in percent.
        file: What holds its weights, perhaps among others.
    """

    epoch: int
    rank_1: float
    file: Path


def find_best(work_dir: Path) -> Best | None:
    """Return the best epoch of a work dir; None where none was validated, or its weights are gone.

    Work dirs of older versions have ``best.safetensors`` alone, whose header says the same.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = parse_json(read_text(work_dir / BEST, NOTE_LIMIT))
        best = Best(int(note["epoch"]), float(note["R1"]), work_dir / Path(note["weights"]).name)
        if best.file.is_file():
            return best
    file = work_dir / BEST_WEIGHTS
    about = read_metadata(file) if file.is_file() else {}
    with suppress(KeyError, TypeError, ValueError):
        return Best(int(about["epoch"]), float(about["R1"]), file)
    return None


def note_best(best: Best) -> None:
    """Write down which epoch is the best and which file has its weights; one that they were kept in before goes.

    Raises:
        WriteError: It cannot be written; what was noted stays.
    """
    note = {"epoch": best.epoch, "R1": best.rank_1, "weights": best.file.name}
    write_whole(best.file.parent / BEST, (json.dumps(note) + "\n").encode())
    remove_left_over(best.file.parent)


def remove_left_over(work_dir: Path) -> None:
    """Remove ``best.safetensors`` where another file has the weights of the best epoch."""
    best = find_best(work_dir)
    if best is not None and best.file.name != BEST_WEIGHTS:
        (work_dir / BEST_WEIGHTS).unlink(missing_ok=True)


def keep_apart(best: Best, state: Mapping[str, Tensor]) -> Best:
    """Write the weights of the best epoch into ``best.safetensors``, and note that.

    Args:
        best: The best epoch.
        state: Its weights by name.

    Raises:
        WriteError: It cannot be written; what was there and noted stays.
    """
    kept = Best(best.epoch, best.rank_1, best.file.with_name(BEST_WEIGHTS))
    write_weights(state, kept.file, {"epoch": str(best.epoch), "R1": repr(best.rank_1)})
    note_best(kept)
    return kept


def keep_before_removal(checkpoint: Path, left_out: Collection[str] = ()) -> None:
    """Keep the weights of the best epoch apart if it is this checkpoint, which is going to be removed, that has them.

    Args:
        checkpoint: The checkpoint.
        left_out: Names that only a training needs; see `tipr_zoo.models.objective_setup`.

    Raises:
        WriteError: They cannot be written; what was there and noted stays.
    """
    best = find_best(checkpoint.parent)
    if best is None or best.file.name != checkpoint.name:
        return
    try:
        keep_apart(best, weights_of(best, left_out))
    except WeightsError as error:
        logger.warning("%s: the weights of the best epoch are lost, and the best of the others is kept", error)
        (checkpoint.parent / BEST).unlink(missing_ok=True)


def forget_best_after(work_dir: Path, epoch: int) -> None:
    """Forget a best epoch whose weights are in a checkpoint that the training does not go on from, but before it.

    Args:
        work_dir: Where the training writes.
        epoch: How many epochs are done where it goes on.
    """
    best = find_best(work_dir)
    if best is not None and checkpoint_epoch(best.file) is not None and best.epoch > epoch:
        (work_dir / BEST).unlink(missing_ok=True)


def weights_of(best: Best, left_out: Collection[str] = ()) -> dict[str, Tensor]:
    """Read the weights of the best epoch.

    Args:
        best: The best epoch.
        left_out: Names that only a training needs; see `tipr_zoo.models.objective_setup`.

    Raises:
        WeightsError: Their file is damaged.
    """
    return {name: value for name, value in read_weights(best.file).items() if name not in left_out}


def holds(file: Path, state: Mapping[str, Tensor]) -> bool:
    """Tell whether a file has these very tensors, perhaps among others.

    Args:
        file: A checkpoint or a file of weights, or none.
        state: Tensors by name, on any device.
    """
    try:
        found = read_weights(file)
    except WeightsError:
        return False
    return all(name in found and torch.equal(found[name], value.detach().cpu()) for name, value in state.items())
