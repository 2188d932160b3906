"""Ranking the hits of a gallery again, by the model's score of the sentence and each picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tipr_zoo.evaluation.pair_scoring import PairScoring, score_candidates
from tipr_zoo.evaluation.reranking import Reranking, check_can_rerank
from tipr_zoo.gallery.hits import Hit
from tipr_zoo.gallery.picture_contents import CropPixels, Crops
from tipr_zoo.protocols import Retriever


def pair_scores(model: Retriever, text: str, hits: Sequence[Hit]) -> list[float]:
    """Score a sentence with each of some hits.

    Args:
        model: In eval mode.
        text: The sentence.
        hits: The hits, at least one.

    Raises:
        ConfigError: The model has no score of pairs.
        DataError: A picture is gone or cannot be read.
    """
    if not check_can_rerank(model, Reranking(len(hits))):
        return []
    pictures = CropPixels(Crops([(str(hit.picture), hit.box) for hit in hits], model))
    candidates = np.arange(len(hits), dtype=np.int64)[None]
    return [float(score) for score in score_candidates(PairScoring(model, [text], pictures, candidates))[0]]
