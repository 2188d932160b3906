"""Pictures from disk as the image tower takes them, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from tipr_zoo.errors import TiprZooError
from tipr_zoo.models.kept_promises import preprocessed
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.protocols import Retriever


class PreprocessedPictures(Dataset["Tensor | TiprZooError"]):
    """Pictures from disk, or what is wrong with one or with the model's preprocessing.

    An error is returned and not raised: one raised in a worker process comes back as a printed traceback.

    Args:
        paths: The files.
        model: The model that takes them.
        mirrored: Whether they are mirrored, left and right.
    """

    def __init__(self, paths: Sequence[Path], model: Retriever, mirrored: bool = False) -> None:
        self.paths, self.model, self.mirrored = list(paths), model, mirrored

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor | TiprZooError:
        """Return (3, H, W) float32, or what is wrong."""
        try:
            pixels = preprocessed(self.model, open_picture(self.paths[index]))
            return pixels.flip(-1) if self.mirrored else pixels
        except TiprZooError as error:
            return error


def stacked(pictures: list[Tensor | TiprZooError]) -> tuple[list[bool], Tensor | None, list[TiprZooError]]:
    """Return which pictures could be read, these as one batch, and what is wrong with the others."""
    read = [picture for picture in pictures if isinstance(picture, Tensor)]
    errors = [picture for picture in pictures if isinstance(picture, TiprZooError)]
    return [isinstance(picture, Tensor) for picture in pictures], torch.stack(read) if read else None, errors
