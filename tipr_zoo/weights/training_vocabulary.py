"""The words that weights were trained on: they travel in the weights' header, or in a file that the card names."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.hub_reference import is_hub_reference, parse_hub_reference
from tipr_zoo.errors import WeightsError
from tipr_zoo.hub.download import fetch_hub_file
from tipr_zoo.outside.files import NOTE_LIMIT, read_bytes
from tipr_zoo.vocabulary.vocabulary import Vocabulary, parse_vocabulary
from tipr_zoo.weights.fetching import fetch_weights
from tipr_zoo.weights.header import read_metadata

VOCABULARY = "vocabulary"
"""The text in a header that has the words, and how often captions of the training split have each."""


def training_vocabulary(card: ModelCard, weights: Path | None = None) -> Vocabulary | None:
    """Return the words that weights were trained on.

    Args:
        card: The model's card.
        weights: A file on this machine that is loaded instead of the card's weights; None for the card's.

    Returns:
        The words; None where nothing says them.

    Raises:
        WeightsError: What says them is damaged, or is not what the card names.
        HubError: It is on the Hub, which cannot be reached or does not give it.
    """
    if weights is not None:
        return _of_header(weights)
    if card.weights is None:
        return None
    return _of_card(card) if card.weights.vocabulary is not None else _of_header(fetch_weights(card))


def _of_header(weights: Path) -> Vocabulary | None:
    text = read_metadata(weights).get(VOCABULARY)
    if text is None:
        return None
    try:
        return parse_vocabulary(text)
    except ValueError as error:
        raise WeightsError(
            f"weights {weights}: {VOCABULARY!r} in the header is damaged: {error}; have their owner write them again"
        ) from error


def _of_card(card: ModelCard) -> Vocabulary:
    assert card.weights is not None
    named = card.weights.vocabulary
    assert named is not None
    if is_hub_reference(named.file):
        path = fetch_hub_file(parse_hub_reference(named.file))[0]
    else:
        path = card.path.parent / named.file
    advice = f"reinstall what brings {card.path}"
    try:
        content = read_bytes(path, NOTE_LIMIT)
    except OSError as error:
        raise WeightsError(
            f"the vocabulary of {card.name} cannot be read: {path}: {error.strerror or error}; {advice}"
        ) from error
    if (sha256 := hashlib.sha256(content).hexdigest()) != named.sha256:
        raise WeightsError(f"the vocabulary {path} has sha256 {sha256}, the card says {named.sha256}; {advice}")
    try:
        return parse_vocabulary(content.decode())
    except ValueError as error:
        raise WeightsError(f"the vocabulary {path} is damaged: {error}; {advice}") from error
