"""Searching a folder of pictures with a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch.nn.functional as F

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.embedding import embed_captions, embed_pictures
from tipr_zoo.gallery.ranking import best_pictures
from tipr_zoo.pictures.files import list_pictures
from tipr_zoo.terminal.log import logger


@dataclass(frozen=True)
class Hit:
    """A picture that a search found.

    Attributes:
        rank: Its rank, from 1.
        picture: Its file.
        score: Cosine of the picture's and the sentence's embeddings, in [-1, 1].
    """

    rank: int
    picture: Path
    score: float


def search(model: DualEncoder, folder: Path, text: str, top: int = 10, progress: bool = False) -> list[Hit]:
    """Find the pictures of a folder that fit a sentence best.

    A picture that cannot be read is left out, with a warning in the log.

    Args:
        model: A retriever in eval mode, on the device where it is to run.
        folder: The folder. Its sub-folders are searched, too.
        text: The sentence.
        top: Number of hits. Fewer where the folder holds fewer pictures.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The hits, the best first. Equal scores stay in the order of their paths.

    Raises:
        ConfigError: The sentence is empty, or `top` is below 1.
        DataError: The folder is missing, or holds no readable picture.
    """
    if not text.strip():
        raise ConfigError("the sentence to search for is empty; describe the person, e.g. 'a man in a red jacket'")
    if top < 1:
        raise ConfigError(f"the number of hits must be at least 1, got {top}")
    paths = list_pictures(folder)
    embeddings = embed_pictures(
        model, paths, progress=progress, on_unreadable=lambda error: logger.warning("%s", error)
    )
    is_read = ~embeddings.isnan().any(dim=1)
    paths = [path for path, read in zip(paths, is_read.tolist(), strict=True) if read]
    pictures = F.normalize(embeddings[is_read], dim=-1)
    found = best_pictures(pictures, embed_captions(model, [text])[0], top)
    return [Hit(rank, paths[index], score) for rank, (index, score) in enumerate(found, start=1)]
