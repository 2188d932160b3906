"""What a training step draws of captions: which pairs are weak, and which words are masked to be replaced."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tipr_zoo.distributed import rand_rows
from tipr_zoo.features import Batch
from tipr_zoo.protocols import Tokenizer


def weak_captions(batch: Batch, probability: float) -> tuple[Tensor, Tensor]:
    """Return the captions that go with the pictures, some of which are others of the same person.

    Args:
        batch: Has ``caption_ids``, (B, L) int64. Where it has ``weak_ids``, (B, L) int64, and ``weak``, (B,) int64,
            these are returned. Otherwise some captions are replaced by those of ``second_caption_ids``, where the
            batch has them.
        probability: Chance of each to be replaced.

    Returns:
        (B, L) int64 ids, and (B,) int64, 1 where the words are not those of the picture's own caption.
    """
    if "weak_ids" in batch:
        return batch["weak_ids"], batch["weak"].long()
    ids = batch["caption_ids"]
    if "second_caption_ids" not in batch:
        return ids, ids.new_zeros(len(ids))
    length = max(ids.shape[1], batch["second_caption_ids"].shape[1])
    ids, others = (padded(each, length) for each in (ids, batch["second_caption_ids"]))
    drawn = rand_rows(len(ids), device=ids.device) < probability
    chosen = torch.where(drawn.unsqueeze(1), others, ids)
    return chosen, (chosen != ids).any(1).long()


def masked_for_replacement(batch: Batch, tokenizer: Tokenizer, seen: Tensor, share: float) -> Tensor:
    """Return captions with masked words, in whose places the momentum copy is to write.

    Of the chosen words, 80 % become the mask token, 10 % a random word, and 10 % stay as they are. The first token and
    padding are never chosen.

    Args:
        batch: Has ``caption_ids``, (B, L) int64. Where it has ``mrtd_ids``, these are returned.
        tokenizer: Has the mask token, and perhaps ``word_ids``.
        seen: (B, L) bool, which tokens are no padding.
        share: Chance of each token to be chosen.
    """
    if "mrtd_ids" in batch:
        return batch["mrtd_ids"]
    ids = batch["caption_ids"]
    chosen, kind, word = rand_rows(len(ids), 3, ids.shape[1], device=ids.device).unbind(1)
    words = getattr(tokenizer, "word_ids", range(1, tokenizer.mask_id))
    known = torch.as_tensor(words, device=ids.device)
    random_ids = known[(word * len(known)).long().clamp(max=len(known) - 1)]
    is_chosen = (chosen < share) & seen
    is_chosen[:, 0] = False
    masked = torch.where(is_chosen & (kind < 0.8), tokenizer.mask_id, ids)
    return torch.where(is_chosen & (kind >= 0.8) & (kind < 0.9), random_ids, masked)


def padded(ids: Tensor, length: int) -> Tensor:
    """Pad ids to a length: (B, L) int64 -> (B, length)."""
    return F.pad(ids, (0, length - ids.shape[1]))
