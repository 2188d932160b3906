"""The leaderboard's rows: the figures of all cards, and those of further records, each with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tipr_zoo.card_index import card_index
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import RecordError
from tipr_zoo.records import METRICS, read_record


@dataclass(frozen=True)
class LeaderboardRow:
    """Figures of one model on one split of one data set, from one source.

    Attributes:
        model: Name of the model.
        dataset: Name of the data set.
        split: The split.
        dataset_arguments: What else identifies the data, e.g. ``{"seed": 0}``.
        metrics: Figures in percent by metric; a metric that the source does not give is left out.
        origin: ``"reported"`` where somebody else published the figures, ``"measured"`` where there is a record.
        source: Who says so: a publication, or the command that measured.
        source_url: Where: a web address, or the path of the record.
        date: When it was measured, ISO 8601; None for reported figures.
    """

    model: str
    dataset: str
    split: str
    dataset_arguments: dict[str, Any]
    metrics: dict[str, float]
    origin: str
    source: str
    source_url: str
    date: str | None


def leaderboard_rows(dataset: str | None = None, records: Path | None = None, sort: str = "R1") -> list[LeaderboardRow]:
    """The rows, by data set and split, and within these the best first.

    Args:
        dataset: Keep this data set alone, in any mix of upper and lower case.
        records: Folder with further records (``*.json``) as ``tipr-zoo eval`` writes them. A record that is a card's
            source is not shown twice.
        sort: Metric to sort by; rows without it come last.

    Raises:
        UnknownNameError: There are no figures on this `dataset`, or `sort` is no metric.
        RecordError: The folder does not exist, or one of its records is malformed.
    """
    if sort not in METRICS:
        raise unknown_name("metric", sort, METRICS)
    rows = _card_rows() + (_record_rows(records) if records else [])
    if dataset is not None:
        names = {row.dataset for row in rows}
        rows = [row for row in rows if row.dataset.casefold() == dataset.casefold()]
        if not rows:
            raise unknown_name("data set", dataset, names)
    return sorted(rows, key=lambda row: (*data_key(row), -row.metrics.get(sort, -1.0), row.model, row.source))


def data_key(row: LeaderboardRow) -> tuple[str, str, str]:
    """What rows have in common whose figures can be compared: data set, split and further arguments in words."""
    arguments = ", ".join(f"{name} {value}" for name, value in sorted(row.dataset_arguments.items()))
    return row.dataset, row.split, arguments


def _card_rows() -> list[LeaderboardRow]:
    """One row a result of every readable card."""
    return [
        LeaderboardRow(
            model=result.model,
            dataset=result.dataset,
            split=result.split,
            dataset_arguments=result.dataset_arguments,
            metrics=result.metrics,
            origin=result.origin,
            source=result.source_name,
            source_url=result.source_url if result.record is None else str(card.path.parent / result.source_url),
            date=result.record.date if result.record else None,
        )
        for card in card_index().cards.values()
        for result in card.results
    ]


def _record_rows(folder: Path) -> list[LeaderboardRow]:
    """One row a record in `folder`, but for those that a card names."""
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such folder; `tipr-zoo eval NAME --data DIR --records DIR` writes records")
    of_cards = [result.record for card in card_index().cards.values() for result in card.results]
    records = [(path, read_record(path)) for path in sorted(folder.glob("*.json"))]
    return [
        LeaderboardRow(
            model=record.model,
            dataset=record.dataset,
            split=record.split,
            dataset_arguments=record.dataset_arguments,
            metrics=record.metrics,
            origin="measured",
            source=record.command,
            source_url=str(path),
            date=record.date,
        )
        for path, record in records
        if record not in of_cards
    ]
