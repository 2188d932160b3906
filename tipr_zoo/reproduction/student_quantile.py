"""Student's t distribution, by which a few trainings tell how far others may lie."""

from __future__ import annotations

_QUANTILES = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def student_quantile(count: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution for `count` values.

    Args:
        count: Number of values, at least 2. Beyond 31 the quantile for 31 is taken, which is 4 % too large at most.
    """
    return _QUANTILES[min(count - 1, len(_QUANTILES)) - 1]
