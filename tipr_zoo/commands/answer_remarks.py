"""The remarks on the answers of a search: told on stderr as they are found, and kept for JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tipr_zoo.cards.card import ModelCard
    from tipr_zoo.gallery.hits import Hit
    from tipr_zoo.gallery.remarks import Remark


class AnswerRemarks:
    """Finds, tells and keeps the remarks on answers.

    Args:
        name: The model.
        weights: What is loaded instead of the card's weights: a path, or a name on the Hub. None for the card's.
        pictures: How many pictures were searched.
        unlike: Those that have not the shape of a person's.
    """

    def __init__(self, name: str, weights: Path | None, pictures: int, unlike: Sequence[Path] = ()) -> None:
        from tipr_zoo.gallery.shape_remark import shape_remark
        from tipr_zoo.hub.weights import local_weights
        from tipr_zoo.models.lookup import load_card

        self._card: ModelCard = load_card(name)
        self._weights = None if weights is None else local_weights(weights)
        self._pictures = pictures
        shape = shape_remark(unlike, pictures)
        self._on_all: list[Remark] = [] if shape is None else [shape]
        self._told: set[str] = set()
        if not pictures:
            print(
                "note: the gallery holds no picture yet; tipr-zoo gallery add GALLERY FOLDER adds some", file=sys.stderr
            )

    def of_answer(self, sentence: str | None, hits: Sequence[Hit], *, judges_presence: bool) -> list[Remark]:
        """Judge one answer, and tell what is to be known of it.

        Args:
            sentence: What was searched for; None for a picture alone.
            hits: What was found, the best among it.
            judges_presence: Whether the scores are cosines of this sentence alone with all pictures, which the card's
                curve is of.
        """
        from tipr_zoo.gallery.model_remarks import presence_remark, sentence_remarks

        found = [] if sentence is None else sentence_remarks(self._card, self._weights, sentence)
        found += self._on_all
        if judges_presence and hits:
            best = max(hit.score if hit.first_score is None else hit.first_score for hit in hits)
            found.append(presence_remark(self._card, self._weights, best, self._pictures))
        for text in (remark.text for remark in found):
            if text not in self._told:  # of several sentences, each thing once
                print(f"note: {text}", file=sys.stderr)
        self._told |= {remark.text for remark in found}
        return found
