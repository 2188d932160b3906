"""Is anybody here? What a best score says of it."""

from __future__ import annotations

from collections.abc import Sequence

from tipr_zoo.cards.answers import GalleryScores
from tipr_zoo.evaluation.presence_curve import chance_of_absent, is_far_from_measured
from tipr_zoo.gallery.remarks import PRESENCE, Remark

FEWEST_SEARCHES = 100
"""What is rarer than 1 of so many searches is told as that: the ends of a curve are few searches."""


def presence(
    galleries: Sequence[GalleryScores],
    best_score: float,
    pictures: int | None = None,
    persons: int | None = None,
    *,
    measured_on: str = "",
) -> Remark:
    """Say how good a best score is, beside those of searches for somebody who is not there.

    Args:
        galleries: The curve of the model's card: the best scores of searches in galleries of several sizes.
        best_score: Cosine of the best picture.
        pictures: Number of pictures of the gallery that was searched; None for that of the largest measured one.
        persons: How many persons these show, where that is known.
        measured_on: The data that the curve is of, in words.

    Returns:
        E.g. ``the best score, 0.921, is as good as in 1 of 5 searches for somebody who is not here``. In a gallery that
        is larger than any measured one, the chance is told from its least to its largest.

    Raises:
        ConfigError: There is no curve, the score is no finite number, or a number is below 1.
    """
    chance = chance_of_absent(galleries, best_score, pictures, persons)
    words = dict.fromkeys(map(share_in_words, chance))
    text = f"the best score, {best_score:.3f}, is as good as in {' to '.join(words)} for somebody who is not here"
    notes = [f"measured on {measured_on}"] if measured_on else []
    if pictures is not None and is_far_from_measured(galleries, pictures):
        sizes = [gallery.pictures for gallery in galleries]
        measured = f"{min(sizes):,} to {max(sizes):,}" if len(sizes) > 1 else f"{sizes[0]:,}"
        notes.append(f"in galleries of {measured} pictures alone, and this one has {pictures:,}")
    if notes:
        text += f" ({', '.join(notes)})"
    details = {
        "best_score": round(best_score, 4),
        "chance": round(chance.at_most, 4),
        "least_chance": round(chance.at_least, 4),
        "pictures": pictures,
        "persons": persons,
    }
    return Remark(PRESENCE, text, details)


def share_in_words(share: float) -> str:
    """Say a share of searches in words.

    Args:
        share: From 0 to 1.

    >>> [share_in_words(share) for share in (0.004, 0.02, 0.21, 0.34, 0.6, 0.97, 1.0)]
    ['fewer than 1 of 100 searches', '1 of 50 searches', '1 of 5 searches', '1 of 3 searches', '6 of 10 searches', \
'nearly every search', 'nearly every search']
    """
    if share < 1 / FEWEST_SEARCHES:
        return f"fewer than 1 of {FEWEST_SEARCHES} searches"
    if share > 0.95:
        return "nearly every search"
    if share > 0.4:
        return "half of the searches" if round(10 * share) == 5 else f"{min(9, round(10 * share))} of 10 searches"
    return f"1 of {round(1 / share)} searches"
