"""What was measured of single answers with some weights: their card says it, or the cache has it of an evaluation.

A card has it of its own weights. Of other weights ``tipr-zoo eval --presence`` leaves its record in the cache folder,
in ``answers/MODEL_HASH.json``, where the hash is that of the file of the weights; the last evaluation counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.cards.answers import Answers
from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.record import Record, read_record, record_text
from tipr_zoo.errors import RecordError
from tipr_zoo.machine.whole_file import write_whole
from tipr_zoo.terminal.log import logger


@dataclass(frozen=True)
class KnownAnswers:
    """What was measured of single answers with some weights.

    Attributes:
        answers: It.
        measured_on: The data, in words; empty where the card does not tell.
        dataset_sha256: Hash of the annotations of these data; None where that is not known.
    """

    answers: Answers
    measured_on: str = ""
    dataset_sha256: str | None = None


def known_answers(card: ModelCard, weights_sha256: str) -> KnownAnswers | None:
    """Return what was measured of single answers with some weights; None where nothing was.

    Args:
        card: The card of the model.
        weights_sha256: Hash of the file of the weights.
    """
    if _tells(card, weights_sha256):
        return _of_card(card)
    place = answers_file(card.name, weights_sha256)
    if not place.is_file():
        return None
    try:
        record = read_record(place)
    except RecordError as error:
        logger.warning("%s; measure anew: tipr-zoo eval --presence", error)
        return None
    if record.answers is None or record.weights_sha256 != weights_sha256:
        return None
    return KnownAnswers(record.answers, _data(record.dataset, record.dataset_arguments), record.dataset_sha256)


def keep_answers(card: ModelCard, record: Record) -> Path | None:
    """Keep what an evaluation measured of single answers, for searches with the same weights.

    Args:
        card: The card of the model.
        record: The evaluation.

    Returns:
        The file. None where nothing is kept: nothing was measured, the card has it of these weights, the recipe was
        changed, or the cache cannot be written, which is told.
    """
    if record.answers is None or record.overrides or _tells(card, record.weights_sha256):
        return None
    place = answers_file(card.name, record.weights_sha256)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, record_text(record).encode())
    except OSError as error:
        logger.warning("%s: what was measured cannot be kept for searches (%s)", place, error.strerror or error)
        return None
    return place


def answers_file(model: str, weights_sha256: str) -> Path:
    """Return the file of the cache that has what was measured of single answers.

    Args:
        model: The name that the model's card has.
        weights_sha256: Hash of the file of the weights.
    """
    return cache_folder() / "answers" / f"{model}_{weights_sha256}.json"


def _tells(card: ModelCard, weights_sha256: str) -> bool:
    """Tell whether a card says what was measured of single answers with these weights."""
    return card.answers is not None and card.weights is not None and card.weights.sha256 == weights_sha256


def _of_card(card: ModelCard) -> KnownAnswers:
    assert card.answers is not None
    for result in card.results:
        if result.source_url == card.answers.source:
            measured_on = _data(result.dataset, result.dataset_arguments)
            return KnownAnswers(card.answers, measured_on, result.record.dataset_sha256 if result.record else None)
    return KnownAnswers(card.answers)


def _data(dataset: str, arguments: Mapping[str, Any]) -> str:
    return " ".join([dataset, *(f"{name} {value}" for name, value in arguments.items())])
