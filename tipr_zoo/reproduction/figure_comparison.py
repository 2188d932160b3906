"""A card's figures beside those of several trainings: how far apart they are, and whether chance explains it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tipr_zoo.cards.results import Result
from tipr_zoo.reproduction.measured_seeds import MeasuredSeeds, mean_and_spread
from tipr_zoo.reproduction.student_quantile import student_quantile

RULE = (
    "A figure is within where one more training would be expected to end, given those made here: |difference| at most"
    " t s sqrt(1 + 1/n), Student's 95 % prediction interval, with s the standard deviation over n seeds. That is 5.0 s"
    " for 3 seeds, 3.0 s for 5 and 2.4 s for 10, so that more seeds judge more sharply. By chance one figure in twenty"
    " that does reproduce falls outside."
)
"""What `Comparison.verdict` rests on.

A card's figure is usually that of one training, so it spreads as much as any single seed does. The mean over n seeds
spreads besides. Two standard deviations, the usual rule of thumb, would reject one true figure in five where three
seeds alone tell the deviation.
"""

NO_SPREAD = "One seed has no spread: the difference is given, and nothing says whether chance explains it."
"""What stands in the place of `RULE` with one seed."""

ROUNDING = 0.005
"""Cards round their figures to two digits."""


@dataclass(frozen=True, kw_only=True)
class Comparison(MeasuredSeeds):
    """One figure of a card, and what it came out as here. Figures are in percent, differences in percentage points.

    Attributes:
        figure: What the card says.
        origin: ``"reported"`` or ``"measured"``, as the card has it.
        source: Who says so.
        source_url: Where.
        difference: `mean` less `figure`.
        allowed: How large a difference `RULE` puts down to chance; None with one seed.
        verdict: ``"within"``, ``"below by 1.20"``, ``"above by 0.80"``, or ``"one seed"``.
    """

    figure: float
    origin: str
    source: str
    source_url: str
    difference: float
    allowed: float | None
    verdict: str


def compare(result: Result, measured: Mapping[int, Mapping[str, float]], rerank: int = 0) -> list[Comparison]:
    """Compare every figure of one result of a card.

    Args:
        result: The card's figures on one split of one data set.
        measured: What was measured on that split: figures by metric, by training seed.
        rerank: How many pictures of each caption were ranked again in measuring.
    """
    comparisons = []
    for metric, figure in result.metrics.items():
        by_seed = {seed: metrics[metric] for seed, metrics in measured.items()}
        found = mean_and_spread(by_seed)
        difference, allowed = found["mean"] - figure, allowed_difference(list(by_seed.values()))
        comparisons.append(
            Comparison(
                dataset=result.dataset,
                split=result.split,
                dataset_arguments=result.dataset_arguments,
                metric=metric,
                rerank=rerank,
                figure=figure,
                origin=result.origin,
                source=result.source_name,
                source_url=result.source_url,
                difference=difference,
                allowed=allowed,
                verdict=_verdict(difference, allowed),
                **found,
            )
        )
    return comparisons


def allowed_difference(values: Sequence[float]) -> float | None:
    """Return how far from the mean of `values` one more of their kind may lie; see `RULE`. None for a single value.

    Args:
        values: One figure for each seed, in percent.
    """
    count = len(values)
    if count < 2:
        return None
    return student_quantile(count) * statistics.stdev(values) * math.sqrt(1 + 1 / count) + ROUNDING


def _verdict(difference: float, allowed: float | None) -> str:
    if allowed is None:
        return "one seed"
    if abs(difference) <= allowed:
        return "within"
    return f"{'below' if difference < 0 else 'above'} by {abs(difference):.2f}"
