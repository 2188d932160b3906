"""The figures of several trainings on data without a published figure: mean, deviation and interval, no verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tipr_zoo.cards.record import METRICS, Record
from tipr_zoo.reproduction.measured_seeds import MeasuredSeeds, mean_and_spread
from tipr_zoo.reproduction.student_quantile import student_quantile

RULE = (
    "The interval holds the mean over many more seeds with 95 % confidence: the mean here plus and minus t s / sqrt(n),"
    " with Student's t and s the standard deviation over n seeds. It says how much the seed changes, and nothing of"
    " other data."
)
"""What `SeedFigures.interval` means."""

NO_SPREAD = "One seed has no standard deviation and no confidence interval; name several with --seeds."
"""What stands in the place of `RULE` with one seed."""


@dataclass(frozen=True, kw_only=True)
class SeedFigures(MeasuredSeeds):
    """What was measured, without a figure to compare it with.

    Attributes:
        interval: Lower and upper end of the mean's 95 % confidence interval, see `RULE`; None with one seed.
    """

    interval: tuple[float, float] | None


def seed_figures(records: Mapping[int, Record]) -> list[SeedFigures]:
    """Return the figures of every metric.

    Args:
        records: The evaluation records of one split, by training seed; at least one.
    """
    first, figures = next(iter(records.values())), []
    for metric in METRICS:
        by_seed = {seed: record.metrics[metric] for seed, record in records.items()}
        figures.append(
            SeedFigures(
                dataset=first.dataset,
                split=first.split,
                dataset_arguments=first.dataset_arguments,
                metric=metric,
                rerank=first.rerank or 0,
                interval=confidence_interval(list(by_seed.values())),
                **mean_and_spread(by_seed),
            )
        )
    return figures


def confidence_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % confidence interval of the mean of `values`, within 0 and 100. None for a single value.

    Args:
        values: One figure for each seed, in percent.
    """
    if len(values) < 2:
        return None
    mean = statistics.fmean(values)
    half = student_quantile(len(values)) * statistics.stdev(values) / math.sqrt(len(values))
    return max(0.0, mean - half), min(100.0, mean + half)
