"""What a model's card and weights say of an answer."""

from __future__ import annotations

from pathlib import Path

from tipr_zoo.cards.answers import Answers
from tipr_zoo.cards.card import ModelCard
from tipr_zoo.gallery.presence import presence
from tipr_zoo.gallery.remarks import Remark, remarks
from tipr_zoo.weights.training_vocabulary import training_vocabulary


def sentence_remarks(card: ModelCard, weights: Path | None, sentence: str) -> list[Remark]:
    """Say what is to be known of a sentence; see `tipr_zoo.gallery.remarks.remarks`.

    Args:
        card: The model's card.
        weights: A file on this machine that is loaded instead of the card's weights; None for the card's.
        sentence: The sentence.

    Raises:
        WeightsError: The words that the weights were trained on are damaged.
        HubError: These words are on the Hub, which cannot be reached or does not give them.
    """
    answers = _answers(card, weights)
    return remarks(sentence, training_vocabulary(card, weights), answers.short_captions if answers else ())


def presence_remark(
    card: ModelCard, weights: Path | None, best_score: float, pictures: int, persons: int | None = None
) -> Remark | None:
    """Say what the best score says of whether somebody is there; see `tipr_zoo.gallery.presence.presence`.

    Args:
        card: The model's card.
        weights: A file that is loaded instead of the card's weights; None for the card's. A curve is of the card's.
        best_score: Cosine of the best picture, of the whole embeddings.
        pictures: Number of pictures of the gallery.
        persons: How many persons these show, where that is known.

    Returns:
        The remark; None where the card has no curve of these weights.
    """
    answers = _answers(card, weights)
    if answers is None:
        return None
    return presence(answers.galleries, best_score, pictures, persons, measured_on=_measured_on(card))


def _answers(card: ModelCard, weights: Path | None) -> Answers | None:
    return card.answers if weights is None else None


def _measured_on(card: ModelCard) -> str:
    """Name the data that the curve of a card is of."""
    for result in card.results:
        if card.answers is not None and result.source_url == card.answers.source:
            arguments = (f"{name} {value}" for name, value in result.dataset_arguments.items())
            return " ".join([result.dataset, *arguments])
    return ""
