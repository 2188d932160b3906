"""What is measured of single answers, beside the figures of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tipr_zoo.cards.answers import MeasuredAnswers
from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.record import TEXT_TO_IMAGE, Record
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.loaded_model import LoadedModel
from tipr_zoo.evaluation.measuring import Outcome
from tipr_zoo.evaluation.presence import best_scores, calibration
from tipr_zoo.evaluation.short_captions import measure_short_captions


def check_answers(loaded: LoadedModel, directions: Sequence[str]) -> None:
    """Check that single answers can be measured.

    Args:
        loaded: The model, with what is done to its first stage.
        directions: What is measured.

    Raises:
        ConfigError: Scores would be no cosines, or no captions search.
    """
    if TEXT_TO_IMAGE not in directions:
        raise ConfigError("--presence is of captions that search pictures; measure that direction, or both")
    fixes = {
        "say --rerank 0": loaded.reranking.count,
        "leave out --postprocess": loaded.postprocess,
        "leave out --part": loaded.part,
    }
    for fix, is_needed in fixes.items():
        if is_needed:
            raise ConfigError(f"--presence is of the whole cosines that a search gives; {fix}")


def with_answers(outcome: Outcome, loaded: LoadedModel, card: ModelCard, progress: bool = False) -> Outcome:
    """Measure single answers, and add them to the record of an evaluation.

    Args:
        outcome: The evaluation. One that is not text-to-image is returned as it is.
        loaded: Its model.
        card: The card of its model. Where it has a curve of other data, the record says how that holds on this one.
        progress: Whether to show progress bars on stderr.

    Raises:
        DataError: The gallery shows fewer than two persons.
    """
    record, dataset = outcome.record, outcome.dataset
    if record.direction != TEXT_TO_IMAGE:
        return outcome
    scores = best_scores(outcome.similarity, dataset.caption_ids, dataset.picture_ids)
    curve = () if _is_of(card, record) or card.answers is None else card.answers.galleries
    answers = MeasuredAnswers(
        galleries=tuple(each.curve() for each in scores),
        short_captions=measure_short_captions(
            loaded.model, dataset, outcome.embeddings.pictures, record.metrics["R1"], progress=progress
        ),
        calibration=tuple(calibration(curve, scores)) if curve else (),
    )
    return replace(outcome, record=replace(record, answers=answers, command=f"{record.command} --presence"))


def _is_of(card: ModelCard, record: Record) -> bool:
    """Tell whether the curve of a card is of the same data as a record, or of other weights."""
    if card.answers is None or card.weights is None or card.weights.sha256 != record.weights_sha256:
        return True
    sources = [result.record for result in card.results if result.source_url == card.answers.source]
    return any(source is not None and source.dataset_sha256 == record.dataset_sha256 for source in sources)
