"""The towers of a model, the blocks that a tower says it is made of, and the checkpointing of their gradients."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from tipr_zoo.errors import ConfigError
from tipr_zoo.models.component_check import PAGE

TOWERS = ("image_encoder", "text_encoder")


def towers_of(model: nn.Module, entry: str) -> dict[str, nn.Module]:
    """Return the towers of a model by the names that they have in it.

    Args:
        model: The model.
        entry: The entry of a recipe that needs them, for the message.

    Raises:
        ConfigError: It has no modules of these names.
    """
    found = {name: tower for name in TOWERS if isinstance(tower := getattr(model, name, None), nn.Module)}
    if len(found) < len(TOWERS):
        raise ConfigError(
            f"{entry} needs a model with {' and '.join(TOWERS)}, which {type(model).__name__} has not; leave it out"
        )
    return found


def blocks_of(tower: nn.Module, name: str, entry: str) -> Sequence[nn.Module]:
    """Return the blocks of a tower, from the first to the last.

    Args:
        tower: The tower.
        name: Its name in the model.
        entry: The entry of a recipe that needs them, for the message.

    Raises:
        ConfigError: It does not say what they are.
    """
    blocks = getattr(tower, "blocks", None)
    found = list(blocks) if isinstance(blocks, (list, tuple, nn.ModuleList, nn.Sequential)) else []
    if not found or not all(isinstance(block, nn.Module) for block in found):
        raise ConfigError(
            f"{entry} needs to know the blocks of the towers, and {type(tower).__name__} ({name}) does not say them by"
            f" 'blocks'; leave it out; {PAGE}"
        )
    return found


def checkpoint_gradients(model: nn.Module, enabled: bool) -> None:
    """Switch the gradient checkpointing of both towers on, if it is wanted.

    Args:
        model: The model.
        enabled: The recipe's ``training.gradient_checkpointing``.

    Raises:
        ConfigError: A tower has none.
    """
    if not enabled:
        return
    entry = "training.gradient_checkpointing"
    for name, tower in towers_of(model, entry).items():
        switch = getattr(tower, "set_gradient_checkpointing", None)
        if not callable(switch):
            raise ConfigError(
                f"{entry} needs set_gradient_checkpointing of the towers, which {type(tower).__name__} ({name}) has"
                f" not; leave it out; {PAGE}"
            )
        switch(True)
