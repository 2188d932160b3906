"""How good a best score is, by what searches for somebody who is not in the gallery find.

Let G(s) be the share of searches for somebody absent whose best score is at most s, in a gallery of size m. A gallery
of size n has n/m times as many chances, so that this share becomes G(s)^(n/m). Pictures of one person are alike, and
one more of them is not one more chance. So the size of a gallery is taken as persons^(2/3) * pictures^(1/3).

Beyond the largest gallery that was measured there are two bounds. The best of more pictures is never worse, so that the
chance is at least that of the largest measured gallery. It is at most what G(s)^(n/m) gives: near twins, who make up
much of the best scores, may be no more there than in the smaller gallery.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tipr_zoo.cards.answers import LEVELS, GalleryScores
from tipr_zoo.errors import ConfigError

OF_PICTURES = 1 / 3
"""The power of the number of pictures of a person in the size of a gallery."""


class ChanceOfAbsent(NamedTuple):
    """The share of searches for somebody who is not there whose best score is as good as one, from 0 to 1.

    Attributes:
        at_least: The smallest that it can be.
        at_most: The largest. The same, but in galleries that are larger than any that was measured.
    """

    at_least: float
    at_most: float


def chance_of_absent(
    galleries: Sequence[GalleryScores], best_score: float, pictures: int | None = None, persons: int | None = None
) -> ChanceOfAbsent:
    """Return the share of searches for somebody who is not there whose best score is as good.

    Args:
        galleries: What was measured.
        best_score: Cosine of the best picture.
        pictures: Number of pictures of the gallery that was searched. None for that of the largest measured one.
        persons: How many persons these show. None where that is not known: then each has as many pictures as in the
            measured galleries.

    Raises:
        ConfigError: There is no gallery to compare with, the score is no finite number, or a number is below 1.
    """
    counts = [count for count in (pictures, persons) if count is not None]
    if not galleries or not math.isfinite(best_score) or min(counts, default=1) < 1:
        raise ConfigError(
            f"a score of {best_score} in a gallery of {pictures} pictures of {persons} persons cannot be judged by"
            f" {len(galleries)} measured galleries; give a finite score, and numbers from 1"
        )
    sizes = [_size(gallery.pictures, gallery.persons) for gallery in galleries]
    first = galleries[0]
    if pictures is None:
        pictures = first.pictures
    wanted = _size(pictures, persons or max(1.0, pictures * first.persons / first.pictures))
    nearest = min(range(len(sizes)), key=lambda index: abs(math.log(sizes[index] / wanted)))
    at_most = np.interp(best_score, *_rising(galleries[nearest].absent), left=0.0, right=1.0)
    ratio = wanted / sizes[nearest]
    largest = 1.0 - at_most**ratio
    return ChanceOfAbsent(float(1.0 - at_most) if wanted > max(sizes) else float(largest), float(largest))


def is_far_from_measured(galleries: Sequence[GalleryScores], pictures: int) -> bool:
    """Tell whether a gallery is larger than the largest that was measured, or less than a quarter of the smallest.

    Args:
        galleries: What was measured.
        pictures: Number of pictures of the gallery.
    """
    measured = [gallery.pictures for gallery in galleries]
    return not min(measured) / 4 <= pictures <= max(measured)


def _size(pictures: float, persons: float) -> float:
    persons = min(pictures, persons)
    return persons ** (1 - OF_PICTURES) * pictures**OF_PICTURES


def _rising(scores: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return scores, each once, and the largest level of each."""
    levels = dict(zip(scores, LEVELS, strict=True))
    return list(levels), list(levels.values())
