"""Noise on purpose: the captions of some training pairs are exchanged, to see what a method makes of wrong pairs."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError, DataError, RefusedFileError
from tipr_zoo.models.recipe_schema import Seed
from tipr_zoo.outside.files import ANNOTATION_LIMIT, read_bytes
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.training.settings import settings


@dataclass(frozen=True)
class CaptionNoise(Declared):
    """Which captions are exchanged. Pictures keep their identity, and get the caption of another pair.

    Attributes:
        rate: The share of the pairs that exchange their captions among each other, from 0 to 1.
        seed: Seed of the choice.
        file: A NumPy file that names for each pair the pair whose caption it gets, in place of `rate`. RDE's code
            publishes such files (``noiseindex``).

    Raises:
        ConfigError: `rate` is above 1, or both `rate` and `file` are given.
    """

    rate: float = 0.0
    seed: Seed = 0
    file: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ConfigError(f"training.noise.rate is a share of the pairs, from 0 to 1, got {self.rate!r}")
        if self.file is not None and self.rate:
            raise ConfigError(
                "training.noise has a rate and a file, which says by itself what is exchanged; leave out one of them"
            )

    def order(self, count: int) -> list[int]:
        """Return, for each of `count` pairs, the number of the pair whose caption it gets.

        Raises:
            DataError: The file is missing, damaged, or of another number of pairs.
        """
        if self.file is not None:
            return _read_order(Path(self.file), count)
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(count, generator=generator)[: math.floor(self.rate * count + 0.5)]
        order = torch.arange(count)
        order[chosen] = chosen.roll(1)  # in a circle, so that no caption comes back to its own picture
        return list(map(int, order))


def caption_noise(training: Mapping[str, Any]) -> CaptionNoise:
    """Return the noise of a recipe; none where it says nothing.

    Raises:
        ConfigError: A value makes no sense.
        UnknownNameError: There is an entry that nothing reads.
    """
    return settings(CaptionNoise, training, "noise")


def noise_hash(noise: CaptionNoise, count: int) -> str:
    """Return what tells one exchange of captions from another; ``"none"`` where nothing is exchanged."""
    order = noise.order(count)
    if order == list(range(count)):
        return "none"
    return hashlib.sha256(np.asarray(order, dtype="<i8").tobytes()).hexdigest()


def wrong_pairs(order: Sequence[int], identities: Tensor) -> Tensor:
    """Tell which pairs have the caption of another person: (C,) bool.

    Args:
        order: What `CaptionNoise.order` gives.
        identities: (C,) int64, the identity in the picture of each pair.
    """
    return identities[torch.tensor(order)] != identities


def _read_order(file: Path, count: int) -> list[int]:
    try:
        content = read_bytes(file, ANNOTATION_LIMIT)
    except (OSError, RefusedFileError) as error:
        raise DataError(
            f"training.noise.file {file}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    try:
        order = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # NumPy raises many kinds for what is no file of its own
        raise DataError(f"training.noise.file {file}: it is damaged, or no array of NumPy's (.npy)") from error
    if not isinstance(order, np.ndarray) or order.dtype.kind not in "iu" or order.shape != (count,):
        found = f"{order.dtype} {order.shape}" if isinstance(order, np.ndarray) else "an archive"
        raise DataError(
            f"training.noise.file {file}: it must hold a whole number for each of the {count:,} training pairs, and"
            f" holds {found}; it is of another data set"
        )
    if not np.array_equal(np.sort(order), np.arange(count)):
        raise DataError(f"training.noise.file {file}: it must name each of the {count:,} pairs once, from 0")
    return [int(index) for index in order]
