"""Is anybody here? How the best scores of searches are distributed, with the person in the gallery and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tipr_zoo.cards.answers import LEVELS, Calibration, GalleryScores
from tipr_zoo.errors import DataError
from tipr_zoo.evaluation.presence_curve import chance_of_absent
from tipr_zoo.evaluation.query_figures import SimilarityRows

FEWEST = 5
"""Other persons of the smallest gallery that is measured."""

SHRINKS_BY = 4
"""How many times fewer persons each further gallery has."""

STATED = (0.5, 0.2, 0.1, 0.05)
"""The chances that calibration is told for."""

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BestScores:
    """The best scores of Q queries in galleries of one size.

    Attributes:
        persons: How many other persons each gallery has.
        pictures: How many pictures these have, in the mean.
        absent: (Q,) float32, the best score where the person is not in the gallery.
        present: (Q,) float32, the best score where the person is.
    """

    persons: int
    pictures: int
    absent: Scores
    present: Scores

    def curve(self) -> GalleryScores:
        """Return what is kept of them."""
        return GalleryScores(
            persons=self.persons,
            pictures=self.pictures,
            auc=round(area_under_curve(self.present, self.absent), 4),
            absent=_quantiles(self.absent),
            present=_quantiles(self.present),
        )


def best_scores(
    rows: SimilarityRows,
    query_ids: Sequence[int],
    gallery_ids: Sequence[int],
    seed: int = 0,
    sizes: Sequence[int] | None = None,
) -> list[BestScores]:
    """Find the best score of each query, with and without its own person, in galleries of several sizes.

    Smaller galleries hold other persons by chance, drawn anew for each query.

    Args:
        rows: The cosines of Q captions and G pictures.
        query_ids: (Q,) the person of each caption.
        gallery_ids: (G,) the person of each picture.
        seed: Seed of the draws.
        sizes: How many other persons each gallery is to have, at most as many as there are. None for the whole gallery,
            then galleries of a quarter of its persons each, down to `FEWEST`.

    Raises:
        DataError: The gallery has fewer than two persons.
    """
    persons = _scores_of_persons(rows, gallery_ids)
    others = len(persons.ids) - 1
    if others < 1:
        raise DataError("the gallery shows one person alone, and nobody is left without that one; take a larger one")
    place = {identity: column for column, identity in enumerate(persons.ids)}
    columns = np.array([place[identity] for identity in query_ids])
    everyone = np.arange(len(columns))
    own = persons.scores[everyone, columns]
    rivals = persons.scores.copy()
    rivals[everyone, columns] = -np.inf
    mean = len(gallery_ids) / len(persons.ids)
    draws = np.random.default_rng(seed)
    order = draws.random(rivals.shape, np.float32)
    order[everyone, columns] = 2.0  # its own person is never drawn
    order = order.argsort(axis=1)
    found = []
    for count in _sizes(others) if sizes is None else sizes:
        best = np.take_along_axis(rivals, order[:, :count], axis=1).max(axis=1)
        found.append(BestScores(count, round(count * mean), best, np.maximum(best, own)))
    return found


def _sizes(others: int) -> list[int]:
    sizes, count = [], others
    while count >= max(1, min(FEWEST, others)):
        sizes.append(count)
        count //= SHRINKS_BY
    return sizes


@dataclass(frozen=True)
class _Persons:
    ids: list[int]
    scores: Scores  # (Q, persons), the best picture of each


def _scores_of_persons(rows: SimilarityRows, gallery_ids: Sequence[int]) -> _Persons:
    """Return how well the best picture of each person fits each query."""
    ids, codes = np.unique(np.array(gallery_ids), return_inverse=True)
    order = codes.argsort(kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(ids)))
    scores = np.empty((rows.queries, len(ids)), np.float32)
    step = rows.that_fit_a_chunk()
    for start in range(0, rows.queries, step):
        stop = min(start + step, rows.queries)
        chunk = np.empty((stop - start, rows.gallery), rows.dtype)
        rows.read(start, stop, chunk)
        scores[start:stop] = np.maximum.reduceat(chunk[:, order], starts, axis=1)
    return _Persons(ids.tolist(), scores)


def area_under_curve(higher: Scores, lower: Scores) -> float:
    """Return how often a value of the first is above one of the second, from 0 to 1. Equal ones count half.

    Args:
        higher: (N,) values.
        lower: (M,) values.
    """
    ordered = np.sort(lower)
    below, upto = (np.searchsorted(ordered, higher, side) for side in ("left", "right"))
    return float((below + upto).mean() / (2 * len(ordered)))


def calibration(curve: Sequence[GalleryScores], measured: Sequence[BestScores]) -> list[Calibration]:
    """Compare the chances that a curve states with what other searches find.

    Args:
        curve: The curve, of other data.
        measured: The best scores of searches.
    """
    found = []
    for each in measured:
        judged = [chance_of_absent(curve, float(s), each.pictures, each.persons) for s in each.absent]
        chances = np.array([chance.at_most for chance in judged])
        for stated in STATED:
            share = round(float((chances <= stated).mean()), 4)
            found.append(Calibration(persons=each.persons, stated=stated, found=share))
    return found


def _quantiles(scores: Scores) -> tuple[float, ...]:
    return tuple(round(float(score), 4) for score in np.quantile(scores, LEVELS))
