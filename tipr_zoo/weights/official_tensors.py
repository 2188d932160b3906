"""The tensors of a checkpoint of the official code, under official names and under the zoo's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.errors import WeightsError
from tipr_zoo.weights.clip_names import clip_to_zoo
from tipr_zoo.weights.official_names import TOWERS, Rules, as_written, has_other_towers, to_zoo, usual_names
from tipr_zoo.weights.opening import open_mapping
from tipr_zoo.weights.tensors import read_weights

COUNTER = "num_batches_tracked"
"""The end of the name of a batch normalisation's counter; nothing is computed from it."""

_JOINT = re.compile(r"attn\.in_proj_(?:weight|bias)$")


class OfficialTensors(dict[str, Tensor]):
    """Tensors by official name, both towers behind ``base_model.``, wherever the method's code has them.

    Args:
        written: Tensors under the names that the checkpoint has.
    """

    def __init__(self, written: Mapping[str, Tensor]) -> None:
        usual = usual_names(written)
        super().__init__({usual[name]: tensor for name, tensor in written.items()})
        self.are_renamed = has_other_towers(written)

    def written(self, text: str) -> str:
        """Return a text with the names that the checkpoint itself has."""
        return as_written(text) if self.are_renamed else text

    @contextmanager
    def told(self) -> Iterator[None]:
        """Let the block's errors name tensors as the checkpoint does."""
        try:
            yield
        except WeightsError as error:
            if not self.are_renamed:
                raise
            raise WeightsError(self.written(str(error))) from error


def zoo_state(official: Mapping[str, Tensor], resnet: bool, rules: Rules) -> dict[str, Tensor]:
    """Return towers and all else under the zoo's names. A counter that is not there is 0: it changes no result.

    Args:
        official: Tensors under official names, each of which has a place.
        resnet: Whether the image tower is a ModifiedResNet.
        rules: Those of the method's reader.

    Raises:
        WeightsError: A rule puts a tensor where one of a tower is.
    """
    towers = {name.removeprefix(TOWERS): tensor for name, tensor in official.items() if name.startswith(TOWERS)}
    others = {name: tensor for name, tensor in official.items() if not name.startswith(TOWERS)}
    of_towers, of_others = clip_to_zoo(towers, resnet), to_zoo(others, rules)[0]
    if twice := sorted(of_towers.keys() & of_others.keys()):
        raise WeightsError(f"{twice[0]} is a tower's, and a rule of the method's reader puts another tensor there")
    state = of_towers | of_others
    norms = [name.removesuffix("running_var") for name in state if name.endswith(".running_var")]
    return {norm + COUNTER: torch.tensor(0) for norm in norms} | state


def official_tensors(checkpoint: str | Path | Mapping[str, Any], place: str) -> OfficialTensors:
    """Return the tensors of a checkpoint by official name, without entries around them and without ``module.``.

    Args:
        checkpoint: A file, or what it holds.
        place: What messages call it.

    Raises:
        WeightsError: It cannot be read, or holds something else than whole, dense tensors, each once.
    """
    if isinstance(checkpoint, (str, Path)):
        state: Mapping[str, Any] = read_weights(Path(checkpoint))
    elif isinstance(checkpoint, Mapping):
        state = open_mapping(checkpoint, place)
    else:
        raise WeightsError(f"a checkpoint is a file or a mapping, got {type(checkpoint).__name__}")
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise WeightsError(f"{place} is no dict of tensors: {name!r} is of type {type(value).__name__}")
        if _JOINT.search(name) and (value.ndim == 0 or len(value) % 3):
            raise WeightsError(
                f"{place}: {name} has shape {tuple(value.shape)}, which cannot be cut into query, key and value"
            )
    return OfficialTensors({name: value.detach() for name, value in state.items()})
