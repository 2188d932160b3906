"""One metric on one split, measured after each of several trainings: what is shared by all that is said of it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class MeasuredSeeds:
    """One metric on one split, measured after each of several trainings. Figures are in percent.

    Attributes:
        dataset: Name of the data set.
        split: The split.
        dataset_arguments: What else identifies the data, e.g. ``{"seed": 0}``.
        metric: One of `tipr_zoo.cards.record.METRICS`.
        by_seed: What was measured, by training seed.
        mean: Its mean.
        spread: Its standard deviation (of a sample); None with one seed.
        rerank: How many pictures of each caption were ranked again; 0 for none.
    """

    dataset: str
    split: str
    dataset_arguments: dict[str, Any]
    metric: str
    by_seed: dict[int, float]
    mean: float
    spread: float | None
    rerank: int = 0


def mean_and_spread(by_seed: Mapping[int, float]) -> dict[str, Any]:
    """Return the fields of `MeasuredSeeds` that what was measured gives: ``by_seed``, ``mean`` and ``spread``.

    Args:
        by_seed: Figures in percent, by training seed; at least one.
    """
    values = list(by_seed.values())
    spread = statistics.stdev(values) if len(values) > 1 else None
    return {"by_seed": dict(by_seed), "mean": statistics.fmean(values), "spread": spread}
