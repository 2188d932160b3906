"""Ranking pictures for a sentence."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def best_pictures(pictures: Tensor, sentence: Tensor, top: int) -> list[tuple[int, float]]:
    """Rank pictures by the cosine of their embeddings and the embedding of a sentence.

    Args:
        pictures: (N, D) float embeddings of unit length.
        sentence: (D,) float embedding of any length.
        top: Number of pictures. All of them where there are fewer.

    Returns:
        The row and the cosine of each picture, the best first. Equal cosines stay in the order of their rows.
    """
    scores = pictures @ F.normalize(sentence, dim=-1)
    order = scores.argsort(descending=True, stable=True)[:top].tolist()
    return [(index, float(scores[index])) for index in order]
