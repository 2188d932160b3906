"""The leaderboard's rows: every figure of cards, references and further evaluation records, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.index import card_index
from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.record import METRICS, TEXT_TO_IMAGE, Record, read_record
from tipr_zoo.cards.results import Result
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import RecordError
from tipr_zoo.leaderboard.filter import ANY, LeaderboardFilter
from tipr_zoo.leaderboard.folding import with_conflicts, with_sources_together
from tipr_zoo.leaderboard.measured_data import KnownData, disputed_metrics, measured_thing
from tipr_zoo.leaderboard.references import Reference, read_references
from tipr_zoo.leaderboard.row import LeaderboardRow, section_order


def leaderboard_rows(
    dataset: str | None = None, records: Path | None = None, sort: str = "R1", filter: LeaderboardFilter = ANY
) -> list[LeaderboardRow]:
    """Return the rows by `comparison_group`, the best model of a group first, and behind it its further sources.

    Args:
        dataset: Keep only this data set. Upper and lower case do not matter.
        records: Folder with further evaluation records (``*.json``) of ``tipr-zoo eval``. A record takes the place of
            a card's record where both are of the same weights and data, and their hashes say so.
        sort: Metric to sort by. Rows without it come last.
        filter: The rows to keep.

    Raises:
        UnknownNameError: There are no figures on `dataset`, `sort` is no metric, or the filter asks for something that
            no row has.
        RecordError: The folder does not exist, or one of its evaluation records is malformed.
        CardError: A reference is malformed.
    """
    if sort not in METRICS:
        raise unknown_name("metric", sort, METRICS)
    further = _read_records(records) if records else {}
    of_cards = [result.record for card in card_index().cards.values() for result in card.results if result.record]
    known, disputed = KnownData(of_cards, further.values()), disputed_metrics([*of_cards, *further.values()])
    measured_again = {measured_thing(record) for record in further.values() if record.pictures_sha256 is not None}
    rows = [*_card_rows(measured_again), *_reference_rows(), *_record_rows(further, known, disputed)]
    rows = with_conflicts(rows)
    filter.check(row.method for row in rows)
    if dataset is not None:
        names = {row.dataset for row in rows}
        rows = [row for row in rows if row.dataset.casefold() == dataset.casefold()]
        if not rows:
            raise unknown_name("data set", dataset, names)
    kept = [row for row in rows if filter.keeps(row.origin, row.method)]
    return sorted(with_sources_together(kept, sort), key=section_order)  # which keeps the order within a group


def _card_rows(measured_again: set[tuple[str | None, ...]]) -> list[LeaderboardRow]:
    """Make a row for each result of every readable card, except for results that were measured again."""
    rows = []
    for card in card_index().cards.values():
        method = _with_weights(card)
        for result in card.results:
            if result.record is None:
                rows.append(_result_row(result, method, card))
            elif measured_thing(result.record) not in measured_again:
                row = _result_row(result, method, card)
                url = str(card.path.parent / result.source_url)
                rows.append(replace(row, source_url=url, date=result.record.date))
    return rows


def _reference_rows() -> list[LeaderboardRow]:
    """Make a row for each result of every reference."""
    return [
        _result_row(result, reference.method, reference)
        for reference in read_references()
        for result in reference.results
    ]


def _result_row(result: Result, method: MethodFacts, owner: ModelCard | Reference) -> LeaderboardRow:
    """Make the row of a result of a card or a reference.

    A card tells how many vectors its model has, and one that says nothing of ranking again has no score of pairs. A
    reference may be named ``RDE on PAB`` where another has the method's name.
    """
    card = owner if isinstance(owner, ModelCard) else None
    trained_on = _trained_on(card, result.dataset)
    return LeaderboardRow(
        model=result.model,
        name=_name(card) if card else result.model.removesuffix(f" on {result.dataset}"),
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
        has_card=card is not None,
        paper=owner.paper,
        code=owner.code,
        vectors=result.vectors or _vectors(card),
        rerank=0 if card is not None and result.rerank is None else result.rerank,
        rerank_rest=result.rerank_rest,
        trained_on=trained_on,
        secondary=result.secondary,
        remark=result.remark or (None if trained_on or (card and result.origin == "reproduced") else method.remark),
        size=owner.size,
        weights_loaded=card is not None and card.weights is not None,
        **_seconds(owner, result.dataset),
        **(_runs(card, result.dataset, result.dataset_arguments, result.rerank or 0) if result.record else {}),
    )


def _name(card: ModelCard) -> str:
    """Return the method's name with the person data beside the training split, e.g. ``"FMFA + HAM"``."""
    return f"{card.method.name} + {card.method.pretraining}" if card.method.has_extra_data else card.method.name


def _trained_on(card: ModelCard | None, dataset: str) -> str | None:
    """Return what a card's model was trained on, where a figure is of other data."""
    return ", ".join(card.datasets) if card and card.datasets and dataset not in card.datasets else None


def _seconds(owner: ModelCard | Reference, dataset: str) -> dict[str, Any]:
    """Return how long ranking a test split takes, with the machine and where that is printed."""
    if owner.speed is None or dataset not in owner.speed.seconds:
        return {}
    said = f"{owner.speed.machine}: {owner.speed.source.name}"
    return {
        "seconds": float(owner.speed.seconds[dataset]),
        "seconds_on": said,
        "seconds_url": owner.speed.source.url,
    }


def _runs(card: ModelCard | None, dataset: str, arguments: Mapping[str, Any], rerank: int) -> dict[str, Any]:
    """Return budget and spread of figures that were measured with a card's weights."""
    if card is None or card.runs is None:
        return {}
    spread = card.runs.spread_on(dataset, arguments, rerank)
    known = {"seeds": spread.seeds, "spread": dict(spread.deviation)} if spread else {}
    return {"budget": card.runs.budget, **known}


def _vectors(card: ModelCard | None) -> int | None:
    """Return how many vectors a card's model compares by; None where it does not tell."""
    if card is None or card.method.vectors:
        return card.method.vectors if card else None
    return max(1, len(card.size.parts)) if card.size else None


def _read_records(folder: Path) -> dict[Path, Record]:
    """Read the evaluation records of `folder`, by their files."""
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such folder; `tipr-zoo eval NAME --data DIR --records DIR` writes records")
    return {path: read_record(path) for path in sorted(folder.glob("*.json"))}


def _record_rows(
    records: Mapping[Path, Record], known: KnownData, disputed: Mapping[tuple[str | None, ...], tuple[str, ...]]
) -> list[LeaderboardRow]:
    """Make a row for each evaluation record, with the facts of its model's card.

    Where the record is not of the card's weights, what the card says of weights does not hold for it.

    Args:
        records: The records by their files.
        known: The data of all records.
        disputed: What `disputed_metrics` gives for all records.
    """
    return [
        _record_row(path, record, known.is_other(record), disputed.get(measured_thing(record), ()))
        for path, record in records.items()
    ]


def _record_row(path: Path, record: Record, is_other: bool, disagrees_on: tuple[str, ...]) -> LeaderboardRow:
    """Make the row of an evaluation record.

    Args:
        path: Its file.
        record: The record.
        is_other: Whether it is of other data than the cards' records of this name.
        disagrees_on: The metrics of which another record of the same thing has other figures.
    """
    card = card_index().cards.get(record.model)
    method = _with_weights(card) if card else MethodFacts(name=record.model)
    is_card_s = card is not None and card.weights is not None and card.weights.sha256 == record.weights_sha256
    if not is_card_s:
        method = replace(method, weights_published=None, weights_part=None)
    data = (record.dataset, record.dataset_arguments, record.rerank or 0)
    return LeaderboardRow(
        model=record.model,
        name=_name(card) if card else record.model,
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
        disagrees_on=disagrees_on,
        is_of_other_data=is_other,
        is_of_unknown_data=record.pictures_sha256 is None,
        weights_of=record.weights_of,
        part=record.part,
        vectors=record.vectors or (1 if record.part else _vectors(card)),
        rerank=record.rerank or 0,
        rerank_rest=record.rerank_rest,
        postprocess=record.postprocess,
        transductive=record.transductive,
        trained_on=_trained_on(card, record.dataset),
        size=card.size if card else None,
        weights_loaded=is_card_s,
        **(_runs(card, *data) if is_card_s and record.postprocess is None and record.part is None else {}),
    )


def _with_weights(card: ModelCard) -> MethodFacts:
    """Return the card's facts. If the card itself names weights, they are published."""
    return replace(card.method, weights_published=True) if card.weights else card.method
