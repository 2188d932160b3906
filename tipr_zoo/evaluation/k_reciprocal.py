"""k-reciprocal re-ranking: queries and gallery items are near where they share their mutual nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from tipr_zoo.evaluation.first_stage import FirstStage, PostprocessStep
from tipr_zoo.evaluation.metrics import cosine_rows
from tipr_zoo.evaluation.query_figures import Floats
from tipr_zoo.schemas.marks import Check, Limits, Told, must_be

_CHUNK = 2**20
"""Neighbours of neighbours that are looked at at once."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class KReciprocal(PostprocessStep):
    """Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017, arXiv 1701.08398.

    The set is that of all queries and all gallery items, here captions and pictures, and d (equation 1) the squared
    distance of unit embeddings, 2 - 2 cos, divided by the largest one of its row.

    - N(p, k), equation 2: the k nearest of p, and p itself.
    - R(p, k), equation 3: those of N(p, k) that have p among their own k nearest.
    - R*(p, k), equation 4: R(p, k) with every R(q, k/2) of a q in it, of which it holds more than two thirds.
    - V_p, equation 7: exp(-d(p, g)) for g in R*(p, k1), else 0; divided by its sum.
    - V_p, equation 11: the mean of V over the k2 nearest of p, with p itself.
    - the Jaccard distance d_J, equation 10: 1 - sum of min(V_p, V_g) / sum of max(V_p, V_g).
    - the distance, equation 12: (1 - weight) d_J + weight d. The similarity here is 1 less it.

    This is what the authors' code computes. In the paper, d is not divided by the largest, V not by its sum, and the
    condition of equation 4 is "two thirds or more".

    Attributes:
        k1: The neighbours of equations 2 to 4.
        k2: Those of equation 11.
        weight: The share of the distance itself, lambda in equation 12.
    """

    NAME: ClassVar[str] = "k_reciprocal"
    IS_TRANSDUCTIVE: ClassVar[bool] = True
    NEEDS_EMBEDDINGS: ClassVar[bool] = True
    LEAVES_EMBEDDINGS: ClassVar[bool] = False

    k1: Annotated[int, Limits(smallest=1), Told(must_be("a whole number from 1"))] = 20
    k2: Annotated[int, Limits(smallest=1), Told(must_be("a whole number from 1"))] = 6
    weight: Annotated[
        float, Limits(smallest=0), Check(lambda share: share <= 1), Told(must_be("a number from 0 to 1"))
    ] = 0.3

    def __call__(self, stage: FirstStage) -> FirstStage:
        """Return the first stage with the changed similarities.

        What is held are the neighbours of each item and the few entries of V that are not 0; rows of distances are
        computed where they are read.

        Raises:
            ConfigError: There are no more captions and pictures together than `k1`, or `k2` is more than `k1` + 1.
        """
        count = len(stage.queries)
        everything = torch.cat([stage.queries, stage.gallery])
        self.check_number("k1", self.k1 + 1, len(everything), "captions and pictures")
        self.check_number("k2", self.k2, self.k1 + 1, "neighbours, k1 and the item itself")
        nearest, largest = _nearest(everything, self.k1 + 1)
        encoded = _expanded_locally(_encoded(everything, nearest, largest, self.k1), nearest[:, : self.k2])
        by_column = _Columns.of(encoded[count:], len(everything))
        rows, own, top = cosine_rows(stage.queries, stage.gallery), encoded[:count], largest[:count]

        def read(start: int, stop: int, out: Floats) -> None:
            rows.read(start, stop, out)
            out[:] = _distances(out, top[start:stop, None])
            for row, entries in zip(out, own[start:stop], strict=True):
                shared = by_column.shared_with(entries, rows.gallery)
                jaccard = 1 - shared / (2 - shared)
                row[:] = 1 - ((1 - self.weight) * jaccard + self.weight * row)

        return replace(stage, similarities=replace(rows, read=read))


@dataclass(frozen=True)
class _Entries:
    """The entries of one row of V that are not 0: their columns, ascending, and their values."""

    columns: Indices
    values: npt.NDArray[np.float32]


def _distances(cosines: Floats, largest: Any = 1.0) -> Floats:
    """Return squared distances of unit vectors from their cosines, divided by the largest of their rows."""
    return np.maximum(2 - 2 * cosines, 0) / largest


def _nearest(everything: torch.Tensor, count: int) -> tuple[Indices, npt.NDArray[np.float32]]:
    """Return (N, count) the nearest of each item, itself first, and (N,) its largest distance; a chunk at a time."""
    rows = cosine_rows(everything, everything)
    nearest = np.empty((rows.queries, count), np.int64)
    largest = np.empty(rows.queries, np.float32)
    step = rows.that_fit_a_chunk()
    chunk = np.empty((step, rows.gallery), rows.dtype)
    for start in range(0, rows.queries, step):
        stop = min(start + step, rows.queries)
        cosines = chunk[: stop - start]
        rows.read(start, stop, cosines)
        largest[start:stop] = _distances(cosines.min(axis=1))
        cosines[np.arange(stop - start), np.arange(start, stop)] = np.inf  # an item is its own nearest, also of copies
        found = np.sort(np.argpartition(-cosines, count - 1, axis=1)[:, :count], axis=1)
        order = (-np.take_along_axis(cosines, found, axis=1)).argsort(axis=1, kind="stable")
        nearest[start:stop] = np.take_along_axis(found, order, axis=1)
    return nearest, np.maximum(largest, np.finfo(np.float32).tiny)


def _encoded(everything: torch.Tensor, nearest: Indices, largest: npt.NDArray[np.float32], k1: int) -> list[_Entries]:
    """Return V of equation 7, row for row."""
    unit = torch.nn.functional.normalize(everything, dim=-1).numpy()
    mutual, half = _mutual(nearest), _mutual(nearest[:, : round(k1 / 2) + 1])
    encoded = []
    for item, own in enumerate(mutual):
        found = [own]
        for other in own:
            candidates = half[other]
            if np.isin(candidates, own, assume_unique=True).sum() > 2 / 3 * len(candidates):
                found.append(candidates)
        columns = np.unique(np.concatenate(found))
        values = np.exp(-_distances(unit[columns] @ unit[item], largest[item]))
        encoded.append(_Entries(columns, (values / values.sum()).astype(np.float32)))
    return encoded


def _mutual(nearest: Indices) -> list[Indices]:
    """Return for each item those of its nearest that have it among theirs, equation 3."""
    count, width = nearest.shape
    step = max(1, _CHUNK // width**2)
    mutual: list[Indices] = []
    for start in range(0, count, step):
        own = nearest[start : start + step]
        is_mutual = (nearest[own] == np.arange(start, start + len(own))[:, None, None]).any(axis=2)
        mutual += [items[flags] for items, flags in zip(own, is_mutual, strict=True)]
    return mutual


def _expanded_locally(encoded: list[_Entries], nearest: Indices) -> list[_Entries]:
    """Return V of equation 11, row for row."""
    expanded = []
    for own in nearest:
        columns, places = np.unique(np.concatenate([encoded[item].columns for item in own]), return_inverse=True)
        total = np.zeros(len(columns), np.float32)
        np.add.at(total, places, np.concatenate([encoded[item].values for item in own]))
        expanded.append(_Entries(columns, total / np.float32(len(own))))
    return expanded


@dataclass(frozen=True)
class _Columns:
    """V of the gallery items, by its columns: those of column c are at `starts[c]` to `starts[c + 1]`."""

    starts: Indices
    items: Indices
    values: npt.NDArray[np.float32]

    @classmethod
    def of(cls, gallery: list[_Entries], count: int) -> _Columns:
        """Sort the entries of all gallery items by their columns."""
        columns = np.concatenate([entries.columns for entries in gallery])
        items = np.repeat(np.arange(len(gallery)), [len(entries.columns) for entries in gallery])
        order = columns.argsort(kind="stable")
        starts = np.searchsorted(columns[order], np.arange(count + 1))
        return cls(starts, items[order], np.concatenate([entries.values for entries in gallery])[order])

    def shared_with(self, entries: _Entries, items: int) -> npt.NDArray[np.float32]:
        """Return (items,): the sum of the smaller of both values over all columns."""
        shared = np.zeros(items, np.float32)
        for column, value in zip(entries.columns, entries.values, strict=True):
            place = slice(self.starts[column], self.starts[column + 1])
            shared[self.items[place]] += np.minimum(value, self.values[place])
        return shared
