"""A small batch with everything that a loss or head may need."""

from __future__ import annotations

import torch
from torch import Tensor

from tipr_zoo.features import Features
from tipr_zoo.sentence_ends import Positions, largest_ids

CAPTIONS = (
    "a man in a red jacket",
    "a woman with a brown bag and white shoes",
    "a boy with blue jeans, black shoes and a green backpack",
    "somebody with short hair",
    "a woman in a long yellow dress who carries an umbrella",
    "a man with a hat",
    "a girl in a grey skirt and a striped shirt",
    "an old man in a dark coat with a cane",
)
"""Captions of several lengths."""

IDENTITIES = (0, 1, 2, 2, 3, 0, 1, 3)
"""Identities of the pairs. Each has two pairs, some beside each other and some not."""


def sample_batch(
    images: Tensor, caption_ids: Tensor, mask_id: int, tokens: int, find_ends: Positions = largest_ids
) -> dict[str, Tensor]:
    """Make a batch of B = 8 pairs.

    Args:
        images: (B, 3, H, W) float.
        caption_ids: (B, L) int64, zero after the end token.
        mask_id: Id of the mask token.
        tokens: Number of image tokens 1 + N.
        find_ends: Finds where captions end, as their text tower says it; see `tipr_zoo.sentence_ends`.

    Returns:
        Every key of `tipr_zoo.features.Batch`. Captions have 1, 2 or 3 masked words, if they are long enough.
    """
    labels = torch.zeros_like(caption_ids)
    for row, (ids, end) in enumerate(zip(caption_ids, find_ends(caption_ids).tolist(), strict=True)):
        masked = slice(1, min(2 + row % 3, end))
        labels[row, masked] = ids[masked]
    return {
        "images": images,
        "caption_ids": caption_ids,
        "pids": torch.tensor(IDENTITIES),
        "mlm_ids": caption_ids.masked_fill(labels != 0, mask_id),
        "mlm_labels": labels,
        "mask_noise": torch.rand(len(images), tokens),
    }


def further_entries(objective: object, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the batch with what an objective needs of it besides, by its ``needs_of_batch``.

    Args:
        objective: The loss or head.
        batch: From `sample_batch`.

    Returns:
        Pairs and pictures are numbered, and second captions are those of the next pair. What has any other name is
        taken for a further view of each picture.
    """
    count = len(batch["pids"])
    known = {
        "pair_indices": torch.arange(count),
        "picture_indices": torch.arange(count),
        "second_caption_ids": batch["caption_ids"].roll(1, 0),
    }
    further = {}
    for name in getattr(objective, "needs_of_batch", ()):
        if name not in batch:
            further[name] = known[name] if name in known else torch.randn_like(batch["images"])
    return {**batch, **further}


def rows_of(features: Features, batch: dict[str, Tensor], rows: Tensor) -> tuple[Features, dict[str, Tensor]]:
    """Return some rows of a batch and of its features.

    Args:
        features: The features of the batch.
        batch: The batch.
        rows: (R,) int64, the rows to return, in this order.
    """
    return features.mapped(lambda tensor: tensor[rows]), {name: value[rows] for name, value in batch.items()}
