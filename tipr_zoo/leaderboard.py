"""The leaderboard's rows: the figures of all cards, and those of further records, each with where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tipr_zoo.card_index import card_index
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import RecordError
from tipr_zoo.records import METRICS, TEXT_TO_IMAGE, Record, read_record


@dataclass(frozen=True)
class LeaderboardRow:
    """Figures of one model on one split of one data set, from one source.

    Attributes:
        model: Name of the model.
        dataset: Name of the data set.
        split: The split.
        dataset_arguments: What else identifies the data, e.g. ``{"seed": 0}``.
        direction: ``"text-to-image"`` or ``"image-to-text"``.
        metrics: Figures in percent by metric; a metric that the source does not give is left out.
        origin: ``"reported"`` where somebody else published the figures, ``"measured"`` where there is a record.
        source: Who says so: a publication, or the command that measured.
        source_url: Where: a web address, or the path of the record.
        date: When it was measured, ISO 8601; None for reported figures.
        selected_on: What the epoch of the weights was chosen on, as the record says; None where it does not, and for
            reported figures.
    """

    model: str
    dataset: str
    split: str
    dataset_arguments: dict[str, Any]
    direction: str
    metrics: dict[str, float]
    origin: str
    source: str
    source_url: str
    date: str | None
    selected_on: str | None


def leaderboard_rows(dataset: str | None = None, records: Path | None = None, sort: str = "R1") -> list[LeaderboardRow]:
    """The rows, by data set, split and direction, and within these the best first.

    Args:
        dataset: Keep this data set alone, in any mix of upper and lower case.
        records: Folder with further records (``*.json``) as ``tipr-zoo eval`` writes them. A record of the same
            weights on the same data as a card's stands in its place.
        sort: Metric to sort by; rows without it come last.

    Raises:
        UnknownNameError: There are no figures on this `dataset`, or `sort` is no metric.
        RecordError: The folder does not exist, or one of its records is malformed.
    """
    if sort not in METRICS:
        raise unknown_name("metric", sort, METRICS)
    further = _read_records(records) if records else {}
    rows = _card_rows(set(map(_measured_thing, further.values()))) + _record_rows(further)
    if dataset is not None:
        names = {row.dataset for row in rows}
        rows = [row for row in rows if row.dataset.casefold() == dataset.casefold()]
        if not rows:
            raise unknown_name("data set", dataset, names)
    return sorted(rows, key=lambda row: (*data_key(row), -row.metrics.get(sort, -1.0), row.model, row.source))


def data_key(row: LeaderboardRow) -> tuple[str, str, str, str]:
    """What rows have in common whose figures can be compared: data set, split, further arguments in words, direction.

    The direction is an empty text where it is text-to-image, so that such rows come first.
    """
    arguments = ", ".join(f"{name} {value}" for name, value in sorted(row.dataset_arguments.items()))
    return row.dataset, row.split, arguments, row.direction if row.direction != TEXT_TO_IMAGE else ""


def _card_rows(measured_again: set[tuple[str, ...]]) -> list[LeaderboardRow]:
    """One row a result of every readable card, but for those that have been measured again."""
    return [
        LeaderboardRow(
            model=result.model,
            dataset=result.dataset,
            split=result.split,
            dataset_arguments=result.dataset_arguments,
            direction=TEXT_TO_IMAGE,
            metrics=result.metrics,
            origin=result.origin,
            source=result.source_name,
            source_url=result.source_url if result.record is None else str(card.path.parent / result.source_url),
            date=result.record.date if result.record else None,
            selected_on=result.selected_on,
        )
        for card in card_index().cards.values()
        for result in card.results
        if result.record is None or _measured_thing(result.record) not in measured_again
    ]


def _read_records(folder: Path) -> dict[Path, Record]:
    """The records of `folder` by their files."""
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such folder; `tipr-zoo eval NAME --data DIR --records DIR` writes records")
    return {path: read_record(path) for path in sorted(folder.glob("*.json"))}


def _record_rows(records: Mapping[Path, Record]) -> list[LeaderboardRow]:
    """One row a record."""
    return [
        LeaderboardRow(
            model=record.model,
            dataset=record.dataset,
            split=record.split,
            dataset_arguments=record.dataset_arguments,
            direction=record.direction,
            metrics=record.metrics,
            origin="measured",
            source=record.command,
            source_url=str(path),
            date=record.date,
            selected_on=record.selected_on,
        )
        for path, record in records.items()
    ]


def _measured_thing(record: Record) -> tuple[str, ...]:
    """What two records have in common that measure the same weights on the same data in the same way."""
    mappings = [json.dumps(values, sort_keys=True) for values in (record.dataset_arguments, record.overrides)]
    counts = [str(count) for count in (record.queries, record.gallery, record.identities)]
    return record.model, record.weights_sha256, record.dataset, record.split, record.direction, *mappings, *counts
