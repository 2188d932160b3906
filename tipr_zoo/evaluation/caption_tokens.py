"""The tokens of captions, kept without padding, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tipr_zoo.models.kept_promises import tokens_of
from tipr_zoo.protocols import TokenPairScorer


def caption_lengths(ids: Tensor) -> Tensor:
    """Count the tokens of captions up to the last one that is no padding, id 0: (Q, L) int64 -> (Q,) int64, from 1."""
    places = torch.arange(1, ids.shape[1] + 1, device=ids.device)
    return (places * (ids != 0)).amax(dim=1).clamp(min=1)


@dataclass(frozen=True)
class CaptionTokens:
    """The tokens of Q captions.

    Attributes:
        ids: (Q, L) int64 token ids.
        lengths: (Q,) int64, how many of them are no padding.
        starts: (Q,) int64, the row of `tokens` where each caption begins.
        tokens: (N, D) float: N is the sum of `lengths`.
    """

    ids: Tensor
    lengths: Tensor
    starts: Tensor
    tokens: Tensor

    def padded(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the ids and the tokens of some captions, padded with 0 to the longest: (n, L) and (n, L, D)."""
        lengths = self.lengths[rows]
        places = torch.arange(int(lengths.max()), device=rows.device)
        is_token = places < lengths[:, None]
        found = self.tokens[(self.starts[rows, None] + places) * is_token]
        return self.ids[rows, : len(places)], found * is_token.unsqueeze(-1)


def encode_captions(model: TokenPairScorer, ids: Tensor, lengths: Tensor, batch_size: int) -> CaptionTokens:
    """Encode captions to tokens, in batches of about one length.

    Args:
        model: In eval mode.
        ids: (Q, L) int64, where the model lives.
        lengths: (Q,) int64, of `caption_lengths`.
        batch_size: Captions in one forward pass.

    Raises:
        ConfigError: The model raises, or gives something else than tokens.
    """
    starts = lengths.cumsum(0) - lengths
    tokens: Tensor | None = None
    for rows in lengths.argsort(stable=True).split(batch_size):
        longest = int(lengths[rows].max())
        batch = tokens_of(model.encode_caption_tokens, ids[rows, :longest], model)
        is_token = torch.arange(longest, device=ids.device) < lengths[rows, None]
        if tokens is None:
            tokens = batch.new_empty(int(lengths.sum()), batch.shape[2])
        places = starts[rows, None] + torch.arange(longest, device=ids.device)
        tokens[places[is_token]] = batch[is_token]
    assert tokens is not None
    return CaptionTokens(ids, lengths, starts, tokens)
