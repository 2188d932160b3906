"""The remarks on the answer of a search: told on stderr as they are found, and kept for JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tipr_zoo.cards.card import ModelCard
    from tipr_zoo.gallery.remarks import Remark


class AnswerRemarks:
    """Finds, tells and keeps the remarks on one answer.

    Args:
        card: The model's card.
        weights: What is loaded instead of the card's weights: a path, or a name on the Hub. None for the card's.
    """

    def __init__(self, card: ModelCard, weights: Path | None) -> None:
        from tipr_zoo.hub.weights import local_weights

        self.card, self.weights = card, None if weights is None else local_weights(weights)
        self.pictures: int | None = None
        self.remarks: list[Remark] = []

    def of_sentence(self, sentence: str) -> None:
        """Judge the words of the sentence."""
        from tipr_zoo.gallery.model_remarks import sentence_remarks

        for remark in sentence_remarks(self.card, self.weights, sentence):
            self._tell(remark)

    def of_pictures(self, pictures: Sequence[Path]) -> None:
        """Judge the shapes of the pictures that were searched."""
        from tipr_zoo.gallery.shape_remark import shape_remark
        from tipr_zoo.pictures.shapes import unlike_persons

        self.pictures = len(pictures)
        self._tell(shape_remark(sorted(unlike_persons(pictures)), len(pictures)))

    def of_best(self, score: float) -> None:
        """Judge the cosine of the best picture, after `of_pictures`."""
        from tipr_zoo.gallery.model_remarks import presence_remark

        if self.pictures:
            self._tell(presence_remark(self.card, self.weights, score, self.pictures))

    def _tell(self, remark: Remark | None) -> None:
        if remark is not None:
            self.remarks.append(remark)
            print(f"note: {remark.text}", file=sys.stderr)
