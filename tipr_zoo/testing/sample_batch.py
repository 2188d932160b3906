"""A small batch with everything that a loss or head may need."""

from __future__ import annotations

import torch
from torch import Tensor

from tipr_zoo.features import Features

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


def sample_batch(images: Tensor, caption_ids: Tensor, mask_id: int, tokens: int) -> dict[str, Tensor]:
    """Make a batch of B = 8 pairs.

    Args:
        images: (B, 3, H, W) float.
        caption_ids: (B, L) int64, zero after the end token. The end token has the largest id of a row.
        mask_id: Id of the mask token.
        tokens: Number of image tokens 1 + N.

    Returns:
        Every key of `tipr_zoo.features.Batch`. Captions have 1, 2 or 3 masked words, if they are long enough.
    """
    labels = torch.zeros_like(caption_ids)
    for row, ids in enumerate(caption_ids):
        masked = slice(1, min(2 + row % 3, int(ids.argmax())))
        labels[row, masked] = ids[masked]
    return {
        "images": images,
        "caption_ids": caption_ids,
        "pids": torch.tensor(IDENTITIES),
        "mlm_ids": caption_ids.masked_fill(labels != 0, mask_id),
        "mlm_labels": labels,
        "mask_noise": torch.rand(len(images), tokens),
    }


def rows_of(features: Features, batch: dict[str, Tensor], rows: Tensor) -> tuple[Features, dict[str, Tensor]]:
    """Return some rows of a batch and of its features.

    Args:
        features: The features of the batch.
        batch: The batch.
        rows: (R,) int64, the rows to return, in this order.
    """
    return features.mapped(lambda tensor: tensor[rows]), {name: value[rows] for name, value in batch.items()}
