"""The leaderboard's rows: every figure of cards, references and further records, each with where it comes from."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.index import card_index
from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.record import METRICS, TEXT_TO_IMAGE, Record, read_record
from tipr_zoo.cards.results import Result
from tipr_zoo.cards.schema import Link
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import RecordError
from tipr_zoo.leaderboard.filter import ANY, LeaderboardFilter
from tipr_zoo.leaderboard.references import read_references


@dataclass(frozen=True)
class LeaderboardRow:
    """Figures of one model on one split of one data set, from one source.

    Attributes:
        model: Name of the model, or of the reference where the zoo has no code of it.
        dataset: Name of the data set.
        split: The split.
        dataset_arguments: What else identifies the data, e.g. ``{"seed": 0}``.
        direction: ``"text-to-image"`` or ``"image-to-text"``.
        metrics: Figures in percent by metric; a metric that the source does not give is left out.
        origin: ``"reported"`` where a publication prints the figures, ``"reproduced"`` where it prints a training of
            its own, ``"measured"`` where there is a record.
        source: Who says so: a publication, or the command that measured.
        source_url: Where: a web address, or the path of the record; None where nobody noted it.
        date: When it was measured, ISO 8601; None for published figures.
        selected_on: What the epoch of the weights was chosen on: as the record says, or for reported figures what the
            authors say or their code does by default; None where that is not known.
        method: What must be known before the figures are compared with others'.
        has_card: Whether the zoo can build the model.
        paper: The paper that describes the method.
        code: The authors' repository and its licence.
        disagrees_on: Metrics of which another source reports another figure of the same model.
    """

    model: str
    dataset: str
    split: str
    dataset_arguments: dict[str, Any]
    direction: str
    metrics: dict[str, float]
    origin: str
    source: str
    source_url: str | None
    date: str | None
    selected_on: str | None
    method: MethodFacts
    has_card: bool
    paper: Link | None
    code: Link | None
    disagrees_on: tuple[str, ...] = ()


def leaderboard_rows(
    dataset: str | None = None, records: Path | None = None, sort: str = "R1", filter: LeaderboardFilter = ANY
) -> list[LeaderboardRow]:
    """The rows, by `comparison_group`, and within a group the best first.

    Args:
        dataset: Keep this data set alone, in any mix of upper and lower case.
        records: Folder with further records (``*.json``) as ``tipr-zoo eval`` writes them. A record of the same
            weights on the same data as a card's stands in its place.
        sort: Metric to sort by; rows without it come last.
        filter: Which of these rows to keep.

    Raises:
        UnknownNameError: There are no figures on this `dataset`, `sort` is no metric, or the filter asks for what no
            row has ever had.
        RecordError: The folder does not exist, or one of its records is malformed.
        CardError: A reference is malformed.
    """
    if sort not in METRICS:
        raise unknown_name("metric", sort, METRICS)
    further = _read_records(records) if records else {}
    measured_again = set(map(_measured_thing, further.values()))
    rows = _flag_disagreements([*_card_rows(measured_again), *_reference_rows(), *_record_rows(further)])
    filter.check(row.method for row in rows)
    if dataset is not None:
        names = {row.dataset for row in rows}
        rows = [row for row in rows if row.dataset.casefold() == dataset.casefold()]
        if not rows:
            raise unknown_name("data set", dataset, names)
    kept = [row for row in rows if filter.keeps(row.origin, row.method)]
    return sorted(kept, key=lambda row: (*comparison_group(row), -row.metrics.get(sort, -1.0), row.model, row.source))


def data_key(row: LeaderboardRow) -> tuple[str, str, str, str]:
    """What was measured on, in words: data set, split, further arguments, direction.

    The direction is an empty text where it is text-to-image, so that such rows come first.
    """
    arguments = ", ".join(f"{name} {value}" for name, value in sorted(row.dataset_arguments.items()))
    return row.dataset, row.split, arguments, row.direction if row.direction != TEXT_TO_IMAGE else ""


def comparison_group(row: LeaderboardRow) -> tuple[str, str, str, str, bool]:
    """What rows share whose figures may be compared: `data_key`, and whether extra person data are named.

    Rows of which it is not known whether such data were used are compared with those without.
    """
    return *data_key(row), row.method.has_extra_data


def _card_rows(measured_again: set[tuple[str, ...]]) -> list[LeaderboardRow]:
    """One row a result of every readable card, but for those that have been measured again."""
    rows = []
    for card in card_index().cards.values():
        method = _with_weights(card)
        for result in card.results:
            if result.record is None:
                rows.append(_result_row(result, method, card.paper, card.code, has_card=True))
            elif _measured_thing(result.record) not in measured_again:
                row = _result_row(result, method, card.paper, card.code, has_card=True)
                url = str(card.path.parent / result.source_url)
                rows.append(replace(row, source_url=url, date=result.record.date))
    return rows


def _reference_rows() -> list[LeaderboardRow]:
    """One row a result of every reference."""
    return [
        _result_row(result, reference.method, reference.paper, reference.code, has_card=False)
        for reference in read_references()
        for result in reference.results
    ]


def _result_row(
    result: Result, method: MethodFacts, paper: Link | None, code: Link | None, has_card: bool
) -> LeaderboardRow:
    """The row of a card's or a reference's result."""
    return LeaderboardRow(
        model=result.model,
        dataset=result.dataset,
        split=result.split,
        dataset_arguments=result.dataset_arguments,
        direction=TEXT_TO_IMAGE,
        metrics=result.metrics,
        origin=result.origin,
        source=result.source_name,
        source_url=result.source_url or None,
        date=None,
        selected_on=result.selected_on,
        method=method,
        has_card=has_card,
        paper=paper,
        code=code,
    )


def _read_records(folder: Path) -> dict[Path, Record]:
    """The records of `folder` by their files."""
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such folder; `tipr-zoo eval NAME --data DIR --records DIR` writes records")
    return {path: read_record(path) for path in sorted(folder.glob("*.json"))}


def _record_rows(records: Mapping[Path, Record]) -> list[LeaderboardRow]:
    """One row a record; what the card of its model says goes for it, but for weights that are not the card's."""
    rows = []
    for path, record in records.items():
        card = card_index().cards.get(record.model)
        method = _with_weights(card) if card else MethodFacts(name=record.model)
        if card is None or card.weights is None or card.weights.sha256 != record.weights_sha256:
            method = replace(method, weights_published=None)
        rows.append(
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
                method=method,
                has_card=card is not None,
                paper=card.paper if card else None,
                code=card.code if card else None,
            )
        )
    return rows


def _with_weights(card: ModelCard) -> MethodFacts:
    """The card's facts; weights that it names itself can be had."""
    return replace(card.method, weights_published=True) if card.weights else card.method


def _flag_disagreements(rows: Iterable[LeaderboardRow]) -> list[LeaderboardRow]:
    """Fill in `disagrees_on`; who trained the model again is expected to come to other figures."""
    by_thing: defaultdict[tuple[Any, ...], dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
    rows = list(rows)
    for row in rows:
        if row.origin == "reported":
            for metric, value in row.metrics.items():
                by_thing[row.model, data_key(row)][metric].add(round(value, 2))
    return [
        replace(row, disagrees_on=disputed)
        if row.origin == "reported"
        and (disputed := tuple(m for m in row.metrics if len(by_thing[row.model, data_key(row)][m]) > 1))
        else row
        for row in rows
    ]


def _measured_thing(record: Record) -> tuple[str, ...]:
    """What two records have in common that measure the same weights on the same data in the same way."""
    mappings = [json.dumps(values, sort_keys=True) for values in (record.dataset_arguments, record.overrides)]
    counts = [str(count) for count in (record.queries, record.gallery, record.identities)]
    return record.model, record.weights_sha256, record.dataset, record.split, record.direction, *mappings, *counts
