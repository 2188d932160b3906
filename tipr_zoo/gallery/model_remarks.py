"""What a model's card and weights say of an answer."""

from __future__ import annotations

from pathlib import Path

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.evaluation.known_answers import KnownAnswers, known_answers
from tipr_zoo.gallery.presence import presence
from tipr_zoo.gallery.remarks import PRESENCE, Remark, remarks
from tipr_zoo.machine.kept_hashes import kept_hashes
from tipr_zoo.terminal.suggested_command import suggested_command
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
    known = _known(card, weights)
    return remarks(sentence, training_vocabulary(card, weights), known.answers.short_captions if known else ())


def presence_remark(
    card: ModelCard, weights: Path | None, best_score: float, pictures: int, persons: int | None = None
) -> Remark:
    """Say what the best score says of whether somebody is there; see `tipr_zoo.gallery.presence.presence`.

    Args:
        card: The model's card.
        weights: A file that is loaded instead of the card's weights; None for the card's.
        best_score: Cosine of the best picture, of the whole embeddings.
        pictures: Number of pictures of the gallery.
        persons: How many persons these show, where that is known.

    Returns:
        The remark. Where nothing was measured with these weights, it says so, and how to measure it.
    """
    known = _known(card, weights)
    if known is not None:
        return presence(known.answers.galleries, best_score, pictures, persons, measured_on=known.measured_on)
    of_weights = [] if weights is None else ["--weights", str(weights)]
    command = suggested_command("tipr-zoo", "eval", card.name, *of_weights)
    text = (
        f"the best score is {best_score:.3f}; what that says of whether somebody is here was not measured with these"
        f" weights: {command} --data DIR --presence measures it for later searches"
    )
    details = {"best_score": round(best_score, 4), "chance": None, "pictures": pictures, "persons": persons}
    return Remark(PRESENCE, text, details)


def _known(card: ModelCard, weights: Path | None) -> KnownAnswers | None:
    if weights is None:
        return None if card.weights is None else known_answers(card, card.weights.sha256)
    (weights_sha256,) = kept_hashes([weights], str(weights.absolute()))
    return known_answers(card, weights_sha256)
