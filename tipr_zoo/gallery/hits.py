"""What a search finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tipr_zoo.gallery.records import Box
from tipr_zoo.protocols.engines import Fact


@dataclass(frozen=True)
class Hit:
    """A picture that a search found.

    Attributes:
        rank: Its rank, from 1.
        picture: Its file.
        score: Cosine of the picture's and the sentence's embeddings, in [-1, 1]; of a picture that was ranked again the
            model's score of the pair.
        first_rank: Of a picture that was ranked again, its rank before; None of others.
        first_score: Its cosine; None of others.
        box: The part of the picture that was found; None for the whole.
        facts: What a gallery knows of it, by name; None of a folder without a gallery.
        alike: Where hits are grouped, the other pictures of its group that would have been hits.
    """

    rank: int
    picture: Path
    score: float
    first_rank: int | None = None
    first_score: float | None = None
    box: Box | None = None
    facts: Mapping[str, Fact] | None = field(default=None, hash=False)
    alike: tuple[Path, ...] | None = None

    def values(self) -> dict[str, Any]:
        """Return the fields by name; those that say nothing of this hit are left out."""
        return {name: value for name, value in vars(self).items() if value is not None}
