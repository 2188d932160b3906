"""Masking captions for masked language modelling, as BERT and IRRA do."""

from __future__ import annotations

import torch
from torch import Tensor

from tipr_zoo.protocols import Tokenizer
from tipr_zoo.sentence_ends import Positions, largest_ids


def mask_caption(
    ids: Tensor,
    tokenizer: Tokenizer,
    generator: torch.Generator,
    probability: float = 0.15,
    find_ends: Positions = largest_ids,
) -> tuple[Tensor, Tensor]:
    """Mask some tokens of one caption.

    Of the tokens chosen, 80 % become the mask token, 10 % a random token, and 10 % stay as they are. Start, end and
    padding are never chosen. Where no token was chosen, the first token of the caption is masked.

    Args:
        ids: (L,) int64 token ids.
        tokenizer: The tokenizer that made them.
        generator: Where the draws come from.
        probability: Chance of each token to be chosen.
        find_ends: Finds where captions end, as their text tower says it; see `tipr_zoo.sentence_ends`.

    Returns:
        (L,) int64 masked ids, and (L,) int64 labels: the original id where a token was chosen, 0 elsewhere.
    """
    length = int(find_ends(ids.unsqueeze(0))) + 1
    words = torch.zeros_like(ids, dtype=torch.bool)
    words[1 : length - 1] = True
    draw, kind = torch.rand(2, len(ids), generator=generator)
    chosen = words & (draw < probability)
    masked = torch.where(chosen & (kind < 0.8), tokenizer.mask_id, ids)
    word_ids = getattr(tokenizer, "word_ids", range(1, tokenizer.mask_id))
    random_ids = _numbered(word_ids, torch.randint(len(word_ids), ids.shape, generator=generator))
    masked = torch.where(chosen & (kind >= 0.8) & (kind < 0.9), random_ids, masked)
    if not chosen.any() and length > 2:
        chosen[1] = True
        masked[1] = tokenizer.mask_id
    return masked, torch.where(chosen, ids, 0)


def _numbered(word_ids: range | Tensor, numbers: Tensor) -> Tensor:
    """Return the ids that have these numbers among all: int64, of the shape of `numbers`."""
    return numbers + word_ids.start if isinstance(word_ids, range) else word_ids[numbers]
