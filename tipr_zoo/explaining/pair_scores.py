"""The scores of one caption and its variations with any pictures, by cosine or by a re-ranker."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.models.kept_promises import scored
from tipr_zoo.protocols import PairScorer, Retriever, TokenPairScorer

COSINE, PAIRS = "cosine", "pairs"
SCORES = (COSINE, PAIRS)
"""What is explained: the score of the first stage, or of the re-ranker."""

Scores = Callable[[Tensor], Tensor]
"""Maps (B, 3, H, W) pictures to the (B, C) scores of C captions with each, float32."""


def caption_scores(model: Retriever | BuiltModel, ids: Tensor, score: str) -> Scores:
    """Return what scores pictures with some captions; the captions are encoded once.

    Args:
        model: A retriever in eval mode.
        ids: (C, L) int64, on the model's device.
        score: One of `SCORES`.

    Raises:
        ConfigError: The score of pairs is asked of a model that has none.
    """
    if score == COSINE:
        texts = F.normalize(model.encode_text(ids).float(), dim=-1)
        return lambda images: F.normalize(model.encode_image(images).float(), dim=-1) @ texts.T
    if not isinstance(model, PairScorer):
        raise ConfigError(f"{type(model).__name__} scores no pairs, for it has no score_pairs; explain its cosine")
    scorer: PairScorer = model
    if isinstance(scorer, TokenPairScorer):
        of_tokens: TokenPairScorer = scorer
        tokens = of_tokens.encode_caption_tokens(ids)
        score_captions = of_tokens.score_captions
        return lambda images: torch.stack(
            [scored(score_captions, (ids, tokens, each), model) for each in of_tokens.encode_picture_tokens(images)]
        )
    return lambda images: torch.stack(
        [scored(scorer.score_pairs, (ids, picture.expand(len(ids), -1, -1, -1)), model) for picture in images]
    )
