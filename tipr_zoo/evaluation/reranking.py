"""Ranking in two stages: the best pictures of each caption by the cosine are ranked again by the score of the pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from tipr_zoo.cards.index import card_index
from tipr_zoo.cards.record import FIRST_STAGE, RERANK_RESTS
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.pair_scoring import PairScoring, score_candidates
from tipr_zoo.evaluation.preprocessed_pictures import PreprocessedPictures
from tipr_zoo.evaluation.query_figures import SimilarityRows
from tipr_zoo.evaluation.reranked_rows import Reranked, best_columns
from tipr_zoo.protocols import PairScorer, Retriever
from tipr_zoo.terminal.log import logger


@dataclass(frozen=True)
class Reranking:
    """What is ranked again.

    Attributes:
        count: How many of each caption's best pictures; 0 for none.
        rest: The order of the others, below these; one of `tipr_zoo.cards.record.RERANK_RESTS`. With
            ``"first_stage"`` they keep that of the first stage. With ``"tied"`` they share one score.
    """

    count: int = 0
    rest: str = FIRST_STAGE

    def __post_init__(self) -> None:
        """Check the entries.

        Raises:
            ConfigError: `count` is no whole number from 0.
            UnknownNameError: There is no such `rest`.
        """
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 0:
            raise ConfigError(
                f"rerank must be how many pictures of each caption are ranked again, a whole number from 1, or 0 for"
                f" the first stage alone, got {self.count!r}"
            )
        if self.rest not in RERANK_RESTS:
            raise unknown_name("order of the pictures that are not ranked again,", str(self.rest), RERANK_RESTS)


FIRST_STAGE_ALONE = Reranking()
"""Nothing is ranked again."""


def check_can_rerank(model: Retriever, reranking: Reranking) -> TypeGuard[PairScorer]:
    """Tell whether pictures are to be ranked again, and check that a model can do it.

    Raises:
        ConfigError: They are, and it has no score of pairs.
    """
    if not reranking.count:
        return False
    if isinstance(model, PairScorer) and callable(model.score_pairs):
        return True
    known = sorted(name for name, card in card_index().cards.items() if card.method.rerank)
    others = f"; {', '.join(known)} {'has' if len(known) == 1 else 'have'} one" if known else ""
    raise ConfigError(
        f"{type(model).__name__} has no score of pairs (score_pairs) to rank pictures again by; measure its first stage"
        f" alone, with rerank 0{others}"
    )


def rank_again(
    model: Retriever,
    captions: Sequence[str],
    pictures: Sequence[Path],
    rows: SimilarityRows,
    reranking: Reranking,
    *,
    num_workers: int = 0,
    progress: bool = False,
) -> Reranked | None:
    """Score the best pictures of each caption; None where none are ranked again.

    Args:
        model: In eval mode, on the device where it is to run.
        captions: Q texts.
        pictures: G files.
        rows: The first stage: Q rows of G similarities.
        reranking: What is ranked again. Where there are fewer pictures than `count`, that is told, and all are.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to show a progress bar on stderr.

    Raises:
        ConfigError: The model has no score of pairs.
        TiprZooError: As `tipr_zoo.evaluation.pair_scoring.score_candidates` does.
    """
    if not check_can_rerank(model, reranking):
        return None
    count = min(reranking.count, len(pictures))
    if count < reranking.count:
        logger.warning("there are %d pictures: all are ranked again, instead of the best %d", count, reranking.count)
    candidates = best_columns(rows, count)
    scoring = PairScoring(
        model,
        captions,
        PreprocessedPictures(pictures, model),
        candidates,
        num_workers=num_workers,
        progress=progress,
    )
    return Reranked(candidates, score_candidates(scoring), reranking.rest)
