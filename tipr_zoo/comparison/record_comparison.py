"""Two evaluation records on the same queries, compared metric by metric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tipr_zoo.cards.record import DIRECTIONS, IMAGE_TO_TEXT, METRICS, TEXT_TO_IMAGE, Record, read_record
from tipr_zoo.cards.record_files import record_file_name
from tipr_zoo.comparison.paired_statistics import paired_statistics
from tipr_zoo.errors import ConfigError, RecordError
from tipr_zoo.evaluation.kept_queries import KeptQueries, read_kept_queries

QUERY, IDENTITY = "query", "identity"

UNITS = (QUERY, IDENTITY)
"""What is drawn and flipped as a whole: single queries, or all queries of a person."""

LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class MetricDifference:
    """One metric of two records. Figures are in percent, differences in percentage points.

    Attributes:
        metric: One of `tipr_zoo.cards.record.METRICS`.
        first: What the first record measured.
        second: What the second one did.
        difference: `second` less `first`.
        interval: Lower and upper end of its 95 % bootstrap interval.
        p_value: Of the permutation test.
    """

    metric: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    p_value: float


@dataclass(frozen=True)
class RecordComparison:
    """Two records in one direction.

    Attributes:
        first: The first record.
        second: The second one.
        by: One of `UNITS`.
        units: How many of them there are.
        resamples: How many times they were drawn, and flipped.
        seed: Of both.
        is_exact: Whether the permutation test tried every pattern of signs.
        differences: One for each metric.
    """

    first: Record
    second: Record
    by: str
    units: int
    resamples: int
    seed: int
    is_exact: bool
    differences: tuple[MetricDifference, ...]

    @property
    def is_without_difference(self) -> bool:
        """Whether both found the same of every query."""
        return all(each.difference == 0 and each.interval == (0, 0) for each in self.differences)


def compare_records(
    first: Path, second: Path, *, by: str = QUERY, resamples: int = 10_000, seed: int = 0
) -> list[RecordComparison]:
    """Compare two evaluation records query by query.

    Args:
        first: A record that ``tipr-zoo eval`` wrote, beside which what was found of every query is kept; or a folder
            with one evaluation's records.
        second: Another one, on the same data, split and direction.
        by: One of `UNITS`.
        resamples: How many times to draw queries, and to flip signs.
        seed: Of both.

    Returns:
        The comparison of the two. Where the records of the other direction lie beside both, that of these follows.

    Raises:
        ConfigError: An argument makes no sense, both are one record, or they are of other queries.
        RecordError: A record cannot be read, or keeps nothing of single queries.
    """
    if by not in UNITS:
        raise ConfigError(f"what is drawn must be {' or '.join(map(repr, UNITS))}, got {by!r}")
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < 100:
        raise ConfigError(f"the number of resamples must be a whole number from 100, got {resamples!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(f"the seed must be a whole number from 0 to {LARGEST_SEED}, got {seed!r}")
    first, second = _record_in(first), _record_in(second)
    pair = _Pair(first, second, read_record(first), read_record(second))
    return [_compared(each, by, resamples, seed) for each in (pair, *_other_directions(pair))]


@dataclass(frozen=True)
class _Pair:
    """Two records and their files."""

    first_file: Path
    second_file: Path
    first: Record
    second: Record


def _record_in(path: Path) -> Path:
    """Return the record that a folder holds, the first of `DIRECTIONS` where it holds both; a file as it is.

    Raises:
        RecordError: The folder holds none, those of several evaluations, or one that cannot be read.
    """
    if not path.is_dir():
        return path
    records = {file: read_record(file) for file in sorted(path.glob("*.json"))}
    directions = [record.direction for record in records.values()]
    if len({_evaluation(record) for record in records.values()}) != 1 or len(set(directions)) < len(directions):
        found = f"{len(records)} records, {next(iter(records)).name} among them" if records else "no record"
        raise RecordError(
            f"{path}: the folder holds {found}; name one record, or a folder with those of one evaluation"
        )
    return min(records, key=lambda file: DIRECTIONS.index(records[file].direction))


def _evaluation(record: Record) -> str:
    """Return what tells an evaluation from others, whatever its direction. One of both ranks only pictures again."""
    return record_file_name(replace(_of_direction(record, IMAGE_TO_TEXT), direction=TEXT_TO_IMAGE))


def _of_direction(record: Record, direction: str) -> Record:
    """Return a record with the direction of another, by which that is named: captions are never ranked again."""
    if direction != TEXT_TO_IMAGE:
        record = replace(record, rerank=None, rerank_rest=None)
    return replace(record, direction=direction)


def _other_directions(pair: _Pair) -> Iterator[_Pair]:
    """Yield the records of the other direction where they lie beside both and keep what was found of every query."""
    files = (pair.first_file, pair.second_file)
    for direction in DIRECTIONS:
        if direction == pair.first.direction:
            continue
        records = [_of_direction(record, direction) for record in (pair.first, pair.second)]
        others = [file.parent / record_file_name(record) for file, record in zip(files, records, strict=True)]
        if not all(file.is_file() for file in others):
            continue
        found = [read_record(file) for file in others]
        if all(record.queries_sha256 for record in found):
            yield _Pair(others[0], others[1], found[0], found[1])


def _compared(pair: _Pair, by: str, resamples: int, seed: int) -> RecordComparison:
    """Compare two records that were read."""
    _check_alike(pair)
    first = read_kept_queries(pair.first, pair.first_file)
    second = read_kept_queries(pair.second, pair.second_file)
    _check_queries(pair, first, second)
    values = [each.figures.by_metric() for each in (first, second)]
    differences = np.stack([values[1][name].astype(np.float64) - values[0][name] for name in METRICS], axis=1)
    groups = first.identity if by == IDENTITY else np.arange(len(differences))
    units = len(np.unique(groups))
    if units < 2:
        raise ConfigError(f"{pair.first_file} has one {by} alone, of which nothing can be drawn; measure more")
    found = paired_statistics(differences, groups, resamples, seed)
    rows = []
    for number, name in enumerate(METRICS):
        one, other = (100 * float(each[name].mean()) for each in values)
        interval = (100 * float(found.low[number]), 100 * float(found.high[number]))
        difference = 100 * float(found.difference[number])
        rows.append(MetricDifference(name, one, other, difference, interval, float(found.p_value[number])))
    return RecordComparison(pair.first, pair.second, by, units, resamples, seed, found.is_exact, tuple(rows))


def _check_alike(pair: _Pair) -> None:
    """Check that two records are two, and of one split of the same data in the same direction.

    Raises:
        ConfigError: They are not.
    """
    first, second = pair.first, pair.second
    files = f"{pair.first_file} and {pair.second_file}"
    if pair.first_file.resolve() == pair.second_file.resolve() or first == second:
        raise ConfigError(f"{files} are one and the same record; name another one")
    told = {
        "data sets": (first.dataset, second.dataset),
        "splits": (first.split, second.split),
        "directions": (first.direction, second.direction),
        "annotations": (first.dataset_sha256[:12], second.dataset_sha256[:12]),
        "numbers of queries": (first.queries, second.queries),
        "galleries": (first.gallery, second.gallery),
    }
    if first.pictures_sha256 and second.pictures_sha256:
        told["pictures"] = (first.pictures_sha256[:12], second.pictures_sha256[:12])
    for what, (one, other) in told.items():
        if one != other:
            raise ConfigError(
                f"{files} are of different {what}, {one} and {other}, so their queries are no pairs; measure both on"
                " the same data, split and direction"
            )


def _check_queries(pair: _Pair, first: KeptQueries, second: KeptQueries) -> None:
    """Check that both records have the same queries in the same order.

    Raises:
        RecordError: They do not.
    """
    if first.sha256 != second.sha256 or not np.array_equal(first.identity, second.identity):
        raise RecordError(
            f"{pair.first_file} and {pair.second_file} have other queries, or the same in another order, though their"
            " annotations are the same; measure both with one version of tipr-zoo"
        )
