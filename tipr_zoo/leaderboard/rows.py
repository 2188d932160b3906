"""The leaderboard's rows: every figure of cards, references and further evaluation records, each with its source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
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
from tipr_zoo.leaderboard.measured_data import KnownData, disputed_metrics, measured_thing
from tipr_zoo.leaderboard.references import Reference, read_references

_LEFT_OUT = ("weights_of", "part", "rerank_rest", "postprocess", "transductive")
"""The fields that a row does not have where they are None."""


@dataclass(frozen=True)
class LeaderboardRow:
    """Figures of one model on one split of one data set, from one source.

    Attributes:
        model: Name of the model. Name of the reference where the zoo has no code of it.
        dataset: Name of the data set.
        split: The split.
        dataset_arguments: Further arguments that identify the data, e.g. ``{"seed": 0}``.
        direction: ``"text-to-image"`` or ``"image-to-text"``.
        metrics: Figures in percent by metric, without metrics that the source does not give.
        origin: ``"reported"`` where the authors' publication prints the figures, ``"reproduced"`` where a publication
            prints those of its own training, ``"measured"`` where there is an evaluation record.
        source: The source in words: a publication, or the command that measured.
        source_url: A web address, or the path of the evaluation record. None where nobody noted it.
        date: Date of the measurement, ISO 8601. None for published figures.
        selected_on: The split on which the epoch of the weights was chosen. The evaluation record says it. For reported
            figures it is what the authors say, or what their code does by default. None where it is not known.
        method: Facts to know before the figures are compared with others.
        has_card: Whether the zoo can build the model.
        paper: The paper that describes the method.
        code: The authors' repository and its licence.
        disagrees_on: Metrics of which another source reports another figure of the same model, or another record of the
            same weights and data has another one.
        is_of_other_data: Whether the hashes of annotations or pictures are not those of a card's record of this data.
        is_of_unknown_data: Whether the record does not say which pictures it is of, as the first records did not.
        weights_of: The model that the weights are of, where the evaluation record says that it is another.
        part: The part of the model's similarity that was measured alone; None for the whole.
        vectors: How many vectors a picture and a caption are compared by; None where it is not known.
        rerank: How many of each caption's best pictures are ranked again by a score of the pair, 0 for none; None where
            it is not known.
        rerank_rest: The order of the others, where a record says it.
        postprocess: What was done to the embeddings and similarities of the first stage, see
            `tipr_zoo.cards.record.Record`; None for nothing.
        transductive: Whether that looks at other queries, or at the whole gallery.
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
    is_of_other_data: bool = False
    is_of_unknown_data: bool = False
    weights_of: str | None = None
    part: str | None = None
    vectors: int | None = None
    rerank: int | None = None
    rerank_rest: str | None = None
    postprocess: tuple[str, ...] | None = None
    transductive: bool | None = None

    def values(self) -> dict[str, Any]:
        """Return the fields by name; some of them only where they say something."""
        return {k: v for k, v in asdict(self).items() if v is not None or k not in _LEFT_OUT}


def leaderboard_rows(
    dataset: str | None = None, records: Path | None = None, sort: str = "R1", filter: LeaderboardFilter = ANY
) -> list[LeaderboardRow]:
    """Return the rows by `comparison_group`, the best of a group first.

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
    rows = _flag_disagreements(rows)
    filter.check(row.method for row in rows)
    if dataset is not None:
        names = {row.dataset for row in rows}
        rows = [row for row in rows if row.dataset.casefold() == dataset.casefold()]
        if not rows:
            raise unknown_name("data set", dataset, names)
    kept = [row for row in rows if filter.keeps(row.origin, row.method)]
    return sorted(kept, key=lambda row: (*comparison_group(row), -row.metrics.get(sort, -1.0), row.model, row.source))


def data_key(row: LeaderboardRow) -> tuple[str, str, str, str]:
    """Return in words what a row was measured on: data set, split, further arguments, direction with part.

    For text-to-image, the direction is an empty text, so that such rows come first. A part of a model that was measured
    alone is named with the direction, so that its figures are compared with those of parts of that name alone. So is
    what was done to the embeddings and similarities of the first stage.
    """
    arguments = ", ".join(f"{name} {value}" for name, value in sorted(row.dataset_arguments.items()))
    direction = [row.direction] if row.direction != TEXT_TO_IMAGE else []
    part = [f"part {row.part} alone"] if row.part is not None else []
    steps = [] if row.postprocess is None else [f"post-processed by {' then '.join(row.postprocess)}"]
    kind = ["transductive"] if row.transductive else []
    return row.dataset, row.split, arguments, ", ".join([*direction, *part, *steps, *kind])


def comparison_group(row: LeaderboardRow) -> tuple[str, str, str, str, bool]:
    """Return what rows share whose figures may be compared: `data_key`, and whether they name extra person data.

    Where it is not known whether such data were used, the row counts as one without.
    """
    return *data_key(row), row.method.has_extra_data


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

    A card tells how many vectors its model has, and one that says nothing of ranking again has no score of pairs.
    """
    card = owner if isinstance(owner, ModelCard) else None
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
        has_card=card is not None,
        paper=owner.paper,
        code=owner.code,
        vectors=result.vectors or _vectors(card),
        rerank=0 if card is not None and result.rerank is None else result.rerank,
        rerank_rest=result.rerank_rest,
    )


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
                disagrees_on=disputed.get(measured_thing(record), ()),
                is_of_other_data=known.is_other(record),
                is_of_unknown_data=record.pictures_sha256 is None,
                weights_of=record.weights_of,
                part=record.part,
                vectors=record.vectors or (1 if record.part else _vectors(card)),
                rerank=record.rerank or 0,
                rerank_rest=record.rerank_rest,
                postprocess=record.postprocess,
                transductive=record.transductive,
            )
        )
    return rows


def _with_weights(card: ModelCard) -> MethodFacts:
    """Return the card's facts. If the card itself names weights, they are published."""
    return replace(card.method, weights_published=True) if card.weights else card.method


def _flag_disagreements(rows: Iterable[LeaderboardRow]) -> list[LeaderboardRow]:
    """Fill in `disagrees_on`. Reproduced figures are left out, since they are expected to differ."""
    by_thing: defaultdict[tuple[Any, ...], dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
    rows = list(rows)
    for row in rows:
        if row.origin == "reported":
            for metric, value in row.metrics.items():
                by_thing[row.model, row.rerank, data_key(row)][metric].add(round(value, 2))
    return [
        replace(row, disagrees_on=disputed)
        if row.origin == "reported"
        and (disputed := tuple(m for m in row.metrics if len(by_thing[row.model, row.rerank, data_key(row)][m]) > 1))
        else row
        for row in rows
    ]
