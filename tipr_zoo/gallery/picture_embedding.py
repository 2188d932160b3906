"""Embedding pictures batch by batch, so that each can be kept before the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.utils.data import DataLoader

from tipr_zoo.errors import ConfigError, DataError, TiprZooError, WeightsError
from tipr_zoo.evaluation.model_place import place_of
from tipr_zoo.gallery.picture_contents import Crop, Crops
from tipr_zoo.machine.processes import available_cores, check_shared_memory
from tipr_zoo.models.kept_promises import embedded
from tipr_zoo.protocols import Retriever

LARGE_TOWER = 20_000_000
"""Parameters from which on a model is embedded in bfloat16 where the processor has it. Smaller ones gain nothing."""

_FEW = 256
"""Pictures for which further processes would take longer to begin than they save."""


@dataclass(frozen=True)
class EmbeddingSettings:
    """How pictures are embedded.

    Attributes:
        batch_size: Pictures in one forward pass, which are kept together.
        workers: Processes that decode pictures beside this one; None for what suits their number and the machine.
        precision: One of `tipr_zoo.gallery.header.PRECISIONS`.
        progress: Whether to show progress on stderr.
    """

    batch_size: int = 64
    workers: int | None = None
    precision: str = "float32"
    progress: bool = False

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: A number makes no sense.
        """
        if self.batch_size < 1:
            raise ConfigError(f"the size of a batch must be at least 1, got {self.batch_size}")
        if self.workers is not None and self.workers < 0:
            raise ConfigError(f"the number of decoding processes must be at least 0, got {self.workers}")

    def workers_for(self, count: int, device: torch.device) -> int:
        """Return how many processes decode that many pictures."""
        if self.workers is not None:
            return self.workers
        cores = available_cores()
        if count < _FEW or cores < 2:
            return 0
        return min(cores, 16) if device.type != "cpu" else min(max(1, cores // 4), 4)


@dataclass(frozen=True)
class EmbeddedBatch:
    """Some of the pictures, embedded.

    Attributes:
        numbers: Which of the pictures these are.
        crops: What was embedded of each; None of one that cannot be read.
        errors: Why not, by number.
        vectors: (n, D) float32 of unit length, of those that were read.
    """

    numbers: list[int]
    crops: list[Crop | None]
    errors: dict[int, TiprZooError]
    vectors: npt.NDArray[np.float32]


def best_precision(model: Retriever) -> str:
    """Return the precision that pictures are best embedded in: bfloat16 for large models where the processor has it.

    Args:
        model: The model, where it lives.
    """
    device, dtype = place_of(model)
    parameters = sum(parameter.numel() for parameter in cast(nn.Module, model).parameters())
    has_bfloat16 = device.type == "cpu" and _cpu_has_bfloat16()
    return "bfloat16" if has_bfloat16 and dtype == torch.float32 and parameters >= LARGE_TOWER else "float32"


def _cpu_has_bfloat16() -> bool:
    is_there = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(is_there())


@torch.inference_mode()
def embedded_batches(crops: Crops, settings: EmbeddingSettings) -> Iterator[EmbeddedBatch]:
    """Embed pictures, batch by batch.

    Args:
        crops: The pictures, with the model that takes them.
        settings: How they are embedded.

    Raises:
        ConfigError: The machine lacks what several processes need, or the model raises.
        WeightsError: The model gives something else than finite numbers.
    """
    model = crops.model
    device, dtype = place_of(model)
    workers = settings.workers_for(len(crops), device)
    if workers:
        check_shared_memory()
    order = list(range(len(crops)))
    batches = [order[start : start + settings.batch_size] for start in range(0, len(order), settings.batch_size)]
    loader = DataLoader(crops, batch_sampler=batches, num_workers=workers, collate_fn=list)
    for numbers, found in zip(batches, loader, strict=True):
        errors = {number: one for number, one in zip(numbers, found, strict=True) if isinstance(one, TiprZooError)}
        for error in errors.values():
            if not isinstance(error, DataError):
                raise error
        read: list[Crop] = [one for one in found if isinstance(one, Crop)]
        vectors = np.empty((0, 0), np.float32)
        if read:
            images = torch.stack([crop.pixels for crop in read]).to(device, dtype)
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
                embeddings = embedded(model.encode_image, images, model)
            vectors = unit_vectors(embeddings.numpy(), "the pictures")
        crops_or_none = [one if isinstance(one, Crop) else None for one in found]
        yield EmbeddedBatch(numbers, crops_or_none, errors, vectors)


def unit_vectors(embeddings: npt.NDArray[np.float32], what: str) -> npt.NDArray[np.float32]:
    """Bring embeddings to unit length.

    Args:
        embeddings: (n, D) float32.
        what: What was embedded, for messages.

    Raises:
        WeightsError: They are not finite, or all zero.
    """
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise WeightsError(
            f"the model embeds {what} as numbers that are not finite, or as zero; its weights are damaged: load others"
        )
    return (embeddings / lengths).astype(np.float32)


def batches_of(count: int, size: int) -> Iterator[slice]:
    """Yield the slices that cut `count` things into batches."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
