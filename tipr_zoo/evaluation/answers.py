"""What is measured of single answers, beside the figures of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tipr_zoo.cards.answers import MeasuredAnswers
from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.record import TEXT_TO_IMAGE
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.known_answers import known_answers
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
        card: The card of its model. Where a curve of other data is known of its weights, the record says how that holds
            on this one.
        progress: Whether to show progress bars on stderr.

    Raises:
        DataError: The gallery shows fewer than two persons.
    """
    record, dataset = outcome.record, outcome.dataset
    if record.direction != TEXT_TO_IMAGE:
        return outcome
    scores = best_scores(outcome.similarity, dataset.caption_ids, dataset.picture_ids)
    known = known_answers(card, record.weights_sha256)
    is_of_other_data = known is not None and known.dataset_sha256 not in (None, record.dataset_sha256)
    curve = known.answers.galleries if known is not None and is_of_other_data else ()
    answers = MeasuredAnswers(
        galleries=tuple(each.curve() for each in scores),
        short_captions=measure_short_captions(
            loaded.model, dataset, outcome.embeddings.pictures, record.metrics["R1"], progress=progress
        ),
        calibration=tuple(calibration(curve, scores)) if curve else (),
    )
    return replace(outcome, record=replace(record, answers=answers, command=f"{record.command} --presence"))
