"""The paired bootstrap and permutation test: against scipy on small cases, and their promises on simulated data."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from tipr_zoo.comparison.paired_statistics import paired_statistics

Floats = npt.NDArray[np.float64]


def differences(kind: str, count: int, seed: int, shift: float = 0.0) -> Floats:
    """(Q, 1) differences of R-k, which are -1, 0 or 1, or of average precisions."""
    random = np.random.default_rng(seed)
    if kind == "hits":
        return (random.random((count, 1)) < 0.7 + shift).astype(float) - (random.random((count, 1)) < 0.7)
    return np.clip(random.normal(shift, 0.3, (count, 1)), -1, 1)


def each(count: int) -> npt.NDArray[np.int64]:
    return np.arange(count)


@pytest.mark.parametrize("kind", ["hits", "precisions"])
@pytest.mark.parametrize("seed", range(4))
def test_a_small_permutation_test_is_scipys_exactly(kind: str, seed: int) -> None:
    given = differences(kind, 11, seed, 0.2)
    found = paired_statistics(given, each(11), 5000, 0)
    expected = stats.permutation_test(
        (given[:, 0],), lambda values, axis: values.mean(axis=axis), permutation_type="samples", n_resamples=np.inf,
        vectorized=True,
    )  # fmt: skip
    assert found.is_exact
    assert found.p_value[0] == pytest.approx(expected.pvalue, abs=1e-12)


@pytest.mark.parametrize("kind", ["hits", "precisions"])
@pytest.mark.parametrize("shift", [0.0, 0.03, 0.1])
def test_a_large_permutation_test_is_near_scipys(kind: str, shift: float) -> None:
    given = differences(kind, 300, 5, shift)
    found = paired_statistics(given, each(300), 20_000, 0)
    expected = stats.permutation_test(
        (given[:, 0],), lambda values, axis: values.mean(axis=axis), permutation_type="samples", n_resamples=20_000,
        vectorized=True, rng=np.random.default_rng(1),
    )  # fmt: skip
    assert not found.is_exact
    assert found.p_value[0] == pytest.approx(expected.pvalue, abs=0.015)


@pytest.mark.parametrize("kind", ["hits", "precisions"])
def test_an_interval_is_near_scipys(kind: str) -> None:
    given = differences(kind, 200, 3, 0.05)
    found = paired_statistics(given, each(200), 20_000, 0)
    expected = stats.bootstrap(
        (given[:, 0],), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    deviation = given.std() / np.sqrt(200)
    assert found.low[0] == pytest.approx(expected.low, abs=0.1 * deviation)
    assert found.high[0] == pytest.approx(expected.high, abs=0.1 * deviation)
    assert found.difference[0] == given.mean()


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    covered, trials = 0, 400
    for trial in range(trials):
        given = differences("precisions", 150, 1000 + trial, 0.05)
        found = paired_statistics(given, each(150), 400, trial)
        covered += bool(found.low[0] <= 0.05 <= found.high[0])
    assert 0.92 <= covered / trials <= 0.98


def test_p_is_small_by_chance_as_often_as_it_says() -> None:
    found = [paired_statistics(differences("hits", 120, 5000 + n), each(120), 400, n).p_value[0] for n in range(400)]
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.08


def test_groups_that_hang_together_are_drawn_together() -> None:
    of_group = np.random.default_rng(0).normal(0.05, 0.3, 60)
    given, groups = np.repeat(of_group, 8)[:, None], np.repeat(np.arange(60), 8)
    alone = paired_statistics(of_group[:, None], each(60), 5000, 3)
    together = paired_statistics(given, groups, 5000, 3)
    assert together.low[0] == pytest.approx(alone.low[0], abs=1e-12)
    assert together.p_value[0] == alone.p_value[0]
    single = paired_statistics(given, each(480), 5000, 3)
    assert single.high[0] - single.low[0] < 0.5 * (together.high[0] - together.low[0])


def test_groups_of_several_sizes_keep_the_mean_over_queries() -> None:
    given, groups = np.array([[1.0], [1.0], [1.0], [-1.0]]), np.array([7, 7, 7, 2])
    found = paired_statistics(given, groups, 2000, 0)
    assert found.difference[0] == 0.5
    assert (found.low[0], found.high[0]) == (-1.0, 1.0)
    assert found.p_value[0] == 1.0, "3 - 1 is 2, and of the four patterns 4, 2, -2 and -4 all are as far"


def test_no_difference_is_nothing() -> None:
    found = paired_statistics(np.zeros((50, 2)), each(50), 1000, 0)
    assert found.p_value.tolist() == [1.0, 1.0]
    assert (found.low.tolist(), found.high.tolist()) == ([0.0, 0.0], [0.0, 0.0])


def test_it_is_the_same_every_time_and_another_seed_is_another() -> None:
    given = differences("precisions", 100, 0)
    first, again, other = (paired_statistics(given, each(100), 1000, seed) for seed in (4, 4, 5))
    assert (first.low[0], first.p_value[0]) == (again.low[0], again.p_value[0])
    assert first.low[0] != other.low[0]


@pytest.mark.slow  # it is timed, which other tests disturb
def test_ten_thousand_resamples_of_twenty_thousand_queries_take_seconds() -> None:
    given = np.random.default_rng(0).normal(0, 0.3, (20_000, 5))
    start = time.perf_counter()
    paired_statistics(given, each(20_000), 10_000, 0)
    assert time.perf_counter() - start < 30
