"""What an evaluation says of single answers: whether somebody is there at all, and how much a sentence must say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, FromList, Limits, Told, must_be

LEVELS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
"""The shares of searches whose best score is at most what `GalleryScores` has in the same place."""


def _are_quantiles(scores: Sequence[float]) -> bool:
    return len(scores) == len(LEVELS) and list(scores) == sorted(scores)


_Count = Annotated[int, Limits(above=0), Told(must_be("a whole number above 0"))]
_Share = Annotated[float, Limits(smallest=0, largest=1), Told(must_be("a number from 0 to 1"))]
_Percentage = Annotated[float, Limits(smallest=0, largest=100), Told(must_be("a percentage"))]
_Score = Annotated[float, Limits(smallest=-2, largest=2)]
_Scores = Annotated[
    tuple[_Score, ...],
    FromList(),
    Check(_are_quantiles),
    Told(must_be(f"a list of {len(LEVELS)} rising scores")),
]


@dataclass(frozen=True, kw_only=True)
class GalleryScores(Declared):
    """The best scores of searches in galleries of one size.

    Attributes:
        persons: How many other persons the galleries have.
        pictures: How many pictures of these, in the mean.
        auc: How often the best score of a search for somebody who is there is higher than that of a search for
            somebody who is not, from 0 to 1; 0.5 is chance.
        absent: The best scores of searches for somebody who is not there, at `LEVELS`.
        present: Those of searches for somebody who is.
    """

    persons: _Count
    pictures: _Count
    auc: _Share
    absent: _Scores
    present: _Scores


@dataclass(frozen=True, kw_only=True)
class ShortCaptions(Declared):
    """What captions find that were cut after some words.

    Attributes:
        words: How many different words that describe are left of each.
        R1: Rank-1 of these, in percent.
    """

    words: _Count
    R1: _Percentage


@dataclass(frozen=True, kw_only=True)
class Answers(Declared):
    """What was measured of single answers, by ``tipr-zoo eval --presence``.

    Attributes:
        galleries: Galleries of several sizes, the largest first.
        short_captions: Captions of several lengths, the shortest first. The last are whole ones, with as many words as
            they have in the mean.
    """

    galleries: Annotated[tuple[GalleryScores, ...], FromList(), Check(bool, must_be("a list with one at least"))]
    short_captions: Annotated[tuple[ShortCaptions, ...], FromList()]


@dataclass(frozen=True, kw_only=True)
class Calibration(Declared):
    """How a chance holds that the card's curve states, which other data gave.

    Attributes:
        persons: How many other persons the galleries have.
        stated: The chance.
        found: The share of searches for somebody absent that at most this chance is stated for. Equal is best.
    """

    persons: _Count
    stated: _Share
    found: _Share


@dataclass(frozen=True, kw_only=True)
class MeasuredAnswers(Answers):
    """``answers`` of a record.

    Attributes:
        calibration: How the curve of the card holds on this data. Empty where there is none, or it is of this data.
    """

    calibration: Annotated[tuple[Calibration, ...], FromList()] = ()
