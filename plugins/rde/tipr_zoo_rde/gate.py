"""The verdict on each pair of a batch, clean or noisy, and the embeddings that an objective compares."""

from __future__ import annotations

from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch, Features

VERDICTS = "label_hat"
"""The entry of a batch with the verdicts: (B,) in [0, 1], 1 for a clean pair and 0 for a noisy one."""


def verdicts(batch: Batch, like: Tensor) -> Tensor:
    """Return the verdict on each pair, (B,) in the type of `like`. Where nobody divided the pairs, all are clean.

    Raises:
        ConfigError: There is not one verdict for each pair, or one is no number from 0 to 1. Another shape would be
            spread over pairs that it is not of.
    """
    found, count = batch.get(VERDICTS), len(batch["pids"])
    if found is None:
        return like.new_ones(count)
    if found.shape != (count,):
        raise ConfigError(
            f"{VERDICTS} of a batch must be one verdict a pair, of shape ({count},), got {(*found.shape,)}"
        )
    told = found.to(like)
    if not ((told >= 0) & (told <= 1)).all():  # NaN, too, is refused
        wrong = next(value for value in told.tolist() if not 0 <= value <= 1)
        raise ConfigError(f"{VERDICTS} of a batch must be numbers from 0, noisy, to 1, clean, got {wrong}")
    return told


def same_identity(batch: Batch) -> Tensor:
    """Tell which captions and pictures are of one identity: (B, B) bool."""
    return batch["pids"].unsqueeze(1) == batch["pids"].unsqueeze(0)


def compared(features: Features, part: str | None) -> tuple[Tensor, Tensor]:
    """Return the embeddings of pictures and captions, both (B, D), of one part of the similarity; None for the first.

    Raises:
        UnknownNameError: The model has no such part.
    """
    return (features.image_embedding, features.text_embedding) if part is None else features.part(part)


def checked_part(name: str, part: str | None) -> str | None:
    """Return what a recipe says to compare, if it is the name of a part or None.

    Args:
        name: For the message, e.g. ``"part of GatedITC"``.
        part: What the recipe says.

    Raises:
        ConfigError: It is neither.
    """
    if part is not None and not isinstance(part, str):
        raise ConfigError(f"{name} must be the name of a part or None, got {part!r}")
    return part
