"""What losses and heads make of a model before its training, such as a teacher or a queue.

It is part of the model's state while it is trained, so checkpoints hold it and a resumed training goes on with it. The
model that is left in the end is without it.
"""

from __future__ import annotations

import zlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tipr_zoo.errors import ConfigError, TiprZooError, error_line
from tipr_zoo.terminal.log import logger


def set_up_objectives(model: nn.Module) -> frozenset[str]:
    """Call ``setup(retriever)`` of every loss and head that has it, in their order.

    Args:
        model: The retriever, with the weights that its training starts from.

    Returns:
        The names that the model's state has gained by it.

    Raises:
        ConfigError: A ``setup`` is no method, raises, or takes away or changes what the state had.
    """
    with_setup = {key: each for key, each in _objectives(model).items() if getattr(each, "setup", None) is not None}
    before = model.state_dict()
    checksums = {name: _checksum(tensor) for name, tensor in before.items()} if with_setup else {}
    for key, objective in with_setup.items():
        setup: Any = objective.setup
        if not callable(setup):
            raise ConfigError(f"setup of {type(objective).__name__} ({key!r}) must be a method, got {setup!r}")
        try:
            setup(model)
            after = model.state_dict()
        except TiprZooError:
            raise
        except Exception as error:  # a plugin may raise what it likes, and a module that holds its model has no end
            raise ConfigError(
                f"setup of {type(objective).__name__} ({key!r}) failed: {type(error).__name__}: {error_line(error)};"
                " mend it"
            ) from error
        lost = [name for name, tensor in before.items() if name not in after or after[name].shape != tensor.shape]
        changed = [] if lost else [name for name in before if _checksum(after[name]) != checksums[name]]
        if lost or changed:
            what = f"{lost[0]} is gone or has another shape" if lost else f"the values of {changed[0]} are others"
            raise ConfigError(f"setup of {type(objective).__name__} ({key!r}) may only add to a model: {what}")
    return frozenset(model.state_dict().keys() - before.keys())


def _checksum(tensor: Tensor) -> tuple[torch.dtype, int]:
    """Return the type of a tensor, and a checksum of its values, which takes no copy of them."""
    values = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
    return tensor.dtype, zlib.crc32(values.numpy())  # type: ignore[arg-type]  # an array is a buffer at runtime


def without_set_up(model: nn.Module, tensors: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Return the tensors of a file without what ``setup`` of the model's losses and heads made. One log line says so.

    Args:
        model: The retriever, before any ``setup``.
        tensors: What the file holds, which may be a checkpoint of a training.
        file: The file.
    """
    own = model.state_dict()
    made = tuple(f"{place}." for place in _places_with_setup(model))
    left_out = {name for name in tensors if name.startswith(made) and name not in own} if made else set()
    if made and (others := tensors.keys() - own.keys() - left_out):
        added = others & _added_elsewhere(model)
        if added:
            logger.info(
                "%s: %s are for training and left out", file, ", ".join(sorted({name.split(".")[0] for name in added}))
            )
        tensors = {name: tensor for name, tensor in tensors.items() if name not in added}
    if left_out:
        of = {name: next(place for place in made if name.startswith(place)) for name in left_out}
        told = ", ".join(sorted({place + name.removeprefix(place).split(".")[0] for name, place in of.items()}))
        logger.info("%s: %s are for training and left out", file, told)
    return {name: tensor for name, tensor in tensors.items() if name not in left_out}


def _added_elsewhere(model: nn.Module) -> frozenset[str]:
    """Return the names that a ``setup`` adds outside of its loss or head, told by trying it on a copy."""
    with torch.random.fork_rng(devices=[]):
        try:
            return set_up_objectives(deepcopy(model))
        except TiprZooError:
            return frozenset()  # a training tells it


def _places_with_setup(model: nn.Module) -> list[str]:
    """Return the names, in the model, of losses and heads that have a ``setup``, wherever a retriever keeps them."""
    having = [objective for objective in _objectives(model).values() if hasattr(objective, "setup")]
    return [name for name, module in model.named_modules() if name and any(module is each for each in having)]


def _objectives(model: nn.Module) -> dict[str, nn.Module]:
    """Return the losses and heads of a retriever by key; none of one whose losses are its own matter."""
    return dict(getattr(model, "objectives", None) or {})
