"""Token selection embedding, from RDE (arXiv 2308.09911, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tipr_zoo.errors import ConfigError

_EPSILON = 1e-8


class TokenSelection(nn.Module):
    """Embeds the tokens of one modality that its global token attends to most.

    Each of them is brought to unit length and goes through a linear layer and, beside it, an MLP. The largest number of
    each channel is kept.

    Args:
        token_size: Size D of the tokens.
        embedding_size: Size of the embedding.
    """

    def __init__(self, token_size: int, embedding_size: int) -> None:
        super().__init__()
        self.embedding_size = embedding_size
        self.linear = nn.Linear(token_size, embedding_size)
        self.mlp = nn.Sequential(
            nn.Linear(token_size, token_size),
            nn.BatchNorm1d(token_size),
            nn.ReLU(inplace=True),
            nn.Linear(token_size, embedding_size),
        )

    def forward(self, tokens: Tensor, chosen: Tensor, counts: Tensor | None = None) -> Tensor:
        """Embed chosen tokens.

        Batch normalisation sees all that are chosen, also those that `counts` leaves out: the published code does so.

        Args:
            tokens: (B, L, D) float.
            chosen: (B, K) int64, positions of tokens, the most important first.
            counts: (B,) int64, how many of the chosen ones count, at least 1; None for all.

        Returns:
            (B, embedding size).
        """
        selected = tokens.gather(1, chosen.unsqueeze(2).expand(-1, -1, tokens.shape[2]))
        selected = selected / (torch.linalg.vector_norm(selected, dim=-1, keepdim=True) + _EPSILON)
        rows = selected.flatten(0, 1)
        embedded = (self.linear(rows) + self.mlp(rows)).unflatten(0, chosen.shape)
        if counts is not None:
            counted = torch.arange(chosen.shape[1], device=chosen.device) < counts.unsqueeze(1)
            embedded = embedded.masked_fill(~counted.unsqueeze(2), -torch.inf)
        return embedded.amax(dim=1)


def chosen_patches(attention: Tensor, share: float) -> Tensor:
    """Choose the patches that the class token attends to most.

    Args:
        attention: (B, N) float, the attention of the class token to each patch.
        share: The share of the patches that is chosen.

    Returns:
        (B, floor(N * share)) int64, numbered from 0, the most important first.

    Raises:
        ConfigError: That is no patch.
    """
    count = int(attention.shape[1] * share)
    if count < 1:
        raise ConfigError(f"a share of {share} of {attention.shape[1]} patches is none; raise selected_share")
    return attention.topk(count, dim=1).indices


def chosen_words(
    attention: Tensor, ids: Tensor, ends: Tensor, share: float, context_length: int
) -> tuple[Tensor, Tensor]:
    """Choose the tokens of words that the end token attends to most.

    How many are chosen does not depend on where padding was cut off: embeddings are the same with and without it.

    Args:
        attention: (B, L) float, the attention of the end token to each token.
        ids: (B, L) int64, the token ids: start, words, end, then zeros.
        ends: (B,) int64, where the captions end, as the text tower says it.
        share: The share of the places of words that is chosen.
        context_length: Length of a row of ids before padding is cut off; two of its places are no words'.

    Returns:
        (B, K) int64, the most important first, where K is floor((context_length - 2) * share), at most L; and (B,)
        int64, how many of them count. Where a caption has fewer words, what follows is padding and does not count.
        Without a word the end token counts alone, so that the embedding is finite.

    Raises:
        ConfigError: That is no token.
    """
    count = int((context_length - 2) * share)
    if count < 1:
        raise ConfigError(f"a share of {share} of {context_length - 2} words is none; raise selected_share")
    is_token = ids != 0
    words = is_token.sum(dim=1) - 2
    scores = attention.clone()
    scores[:, 0] = -1.0
    # Of a caption without words, the end token comes before all others, whose scores are 0.
    own = torch.where(words < 1, 1.0, -1.0).to(scores).unsqueeze(1)
    scores = scores.scatter(1, ends.unsqueeze(1), own) * is_token
    count = min(count, ids.shape[1])
    return scores.topk(count, dim=1).indices, words.clamp(min=1, max=count)
