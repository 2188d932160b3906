"""Which checkpoint of a work dir a training goes on from."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import nn

from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.weights import read_weights

logger = logging.getLogger("tipr_zoo")


def last_checkpoint(work_dir: Path, model: nn.Module) -> str | None:
    """The last checkpoint that can be read; None where there is none at all, which is told.

    One that is damaged, for example because the disk was full, is told and left out in favour of the one before.

    Args:
        work_dir: Where the training writes.
        model: What is trained. MMEngine would load what fits and leave the rest as it is.

    Raises:
        ConfigError: The checkpoint is of a model with other parameters.
        WeightsError: There are checkpoints, and none can be read.
    """
    files = sorted(work_dir.glob("epoch_*.pth"), key=lambda file: int(file.stem.removeprefix("epoch_")), reverse=True)
    if not files:
        logger.warning("%s holds no checkpoint to go on from: the training starts from its beginning", work_dir)
        return None
    for file in files:
        try:
            state = read_weights(file)
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
        return str(file)
    raise WeightsError(f"no checkpoint in {work_dir} can be read; train anew in another --work-dir")
