"""The difference of two means over the same queries: its bootstrap interval, and a permutation test by sign flips.

Both take a query's two values together. The bootstrap draws queries with replacement, and the interval holds the middle
95 % of the differences that come out. The permutation test flips the sign of queries' differences at random, since
neither of two models that do the same has a side of its own; p is the share of flips whose mean is at least as far from
0. Where queries hang together, as the captions of one person do, whole groups are drawn and flipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
"""Share of the resamples that an interval holds."""

_ROUNDING = 1e-10
"""Of the sum of all absolute differences: two sums of the same numbers may be so far apart."""


@dataclass(frozen=True)
class PairedStatistics:
    """The mean difference of M measures over the same queries.

    Attributes:
        difference: (M,) the mean of the second values less that of the first.
        low: (M,) the lower end of the interval.
        high: (M,) the upper end.
        p_value: (M,) of the two-sided permutation test.
        is_exact: Whether every pattern of signs was tried, and not a sample of them.
    """

    difference: Floats
    low: Floats
    high: Floats
    p_value: Floats
    is_exact: bool


def paired_statistics(
    differences: Floats, groups: npt.NDArray[np.int64], resamples: int, seed: int
) -> PairedStatistics:
    """Compute the mean difference of several measures, with its interval and p-value.

    Args:
        differences: (Q, M) the second value less the first, of each query and measure.
        groups: (Q,) which queries are drawn and flipped together, as whole numbers; one number a query for single ones.
        resamples: How many times to draw, and how many times to flip.
        seed: Of both.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    sums: Floats = np.stack([np.bincount(group, measure, len(sizes)).astype(np.float64) for measure in differences.T])
    drawing, flipping = (np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(2))
    means = _drawn_means(sums, sizes, resamples, drawing)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    p_value, is_exact = _p_values(sums, resamples, flipping)
    return PairedStatistics(differences.mean(axis=0), low, high, p_value, is_exact)


def _drawn_means(sums: Floats, sizes: npt.NDArray[np.int64], resamples: int, random: np.random.Generator) -> Floats:
    """Return the mean differences of every resample of groups: (M, G) sums and (G,) sizes -> (R, M)."""
    both = np.vstack([sums, sizes])
    count = len(sizes)
    totals = np.empty((resamples, len(both)))
    for total in totals:  # the numbers of one resample stay in the processor's cache
        times = np.bincount(random.integers(0, count, size=count), minlength=count)
        total[:] = both @ times.astype(np.float64)
    return totals[:, :-1] / totals[:, -1:]


def _p_values(sums: Floats, resamples: int, random: np.random.Generator) -> tuple[Floats, bool]:
    """Return the p-values of M measures, (M, G), and whether they are exact. What is 0 has no sign to flip."""
    differing = np.ascontiguousarray(sums[:, np.any(sums != 0, axis=0)])
    count, found = differing.shape[1], differing.sum(axis=1)
    least = np.abs(found) - _ROUNDING * np.abs(differing).sum(axis=1)
    is_exact = count < resamples.bit_length()  # 2 ** count patterns are no more than resamples
    as_far = np.zeros(len(sums))
    for number in range(2**count if is_exact else resamples):
        negative = (number >> np.arange(count)) & 1 if is_exact else _coins(count, random)
        # Flipping those below the sum takes them away twice.
        as_far += np.abs(found - 2 * (differing @ negative.astype(np.float64))) >= least
    # What was found is a pattern, too, which a sample need not hold.
    return (as_far / 2**count, True) if is_exact else ((as_far + 1) / (resamples + 1), False)


def _coins(count: int, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Toss `count` coins: 0 or 1 each."""
    return np.unpackbits(random.integers(0, 256, size=-(-count // 8), dtype=np.uint8))[:count]
