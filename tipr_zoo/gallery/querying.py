"""Queries of a gallery: sentences, a picture, both with weights, without something; and what they find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, GalleryError
from tipr_zoo.gallery.asked import check_top, finite_number
from tipr_zoo.gallery.hits import Hit
from tipr_zoo.gallery.picture_embedding import unit_vectors
from tipr_zoo.gallery.records import PictureRecord, record_of
from tipr_zoo.protocols.engines import Condition, Engine

Floats = npt.NDArray[np.float32]

CONTENT = "content"
"""What groups exact copies; any other group is by a fact."""

_FURTHER = 4
"""By how much more is looked for where groups leave too few hits."""


@dataclass(frozen=True)
class QueryWeights:
    """How much each part of a query counts.

    Attributes:
        text: The sentence.
        picture: The picture.
        minus: The sentence that is taken away.
    """

    text: float = 1.0
    picture: float = 1.0
    minus: float = 0.5

    def __post_init__(self) -> None:
        """Check the weights.

        Raises:
            ConfigError: One is negative or no finite number.
        """
        for name, value in vars(self).items():
            number = finite_number(value)
            if number is None or number < 0:
                raise ConfigError(f"the weight of the {name} must be a number from 0, got {value!r}")


@dataclass(frozen=True)
class Selection:
    """What is taken of what a query finds.

    Attributes:
        top: Number of hits.
        where: What each picture must be like.
        threshold: The least cosine of a hit; None for any.
        group: ``"content"`` for one hit of exact copies, a fact for one hit of each of its values; None for all.
    """

    top: int = 10
    where: tuple[Condition, ...] = ()
    threshold: float | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: A number makes no sense.
        """
        object.__setattr__(self, "top", check_top(self.top))
        if self.threshold is not None:
            threshold = finite_number(self.threshold)
            if threshold is None or not -1 <= threshold <= 1:
                raise ConfigError(f"the threshold is a cosine, a number from -1 to 1, got {self.threshold!r}")


def combined(parts: Sequence[tuple[float, Floats | None]]) -> Floats:
    """Add up weighted unit vectors: -> (Q, D) float32 of unit length.

    Args:
        parts: Weight and (Q, D) or (1, D) vectors of each; None of what is not asked for.

    Raises:
        ConfigError: Nothing is left.
    """
    there = [(weight, vectors.astype(np.float64)) for weight, vectors in parts if vectors is not None and weight]
    if not there:
        raise ConfigError("there is nothing to search for: give a sentence or a picture, with a weight above 0")
    if len(there) == 1 and there[0][0] > 0:
        return there[0][1].astype(np.float32)
    largest = max(abs(weight) for weight, _ in there)
    whole = sum(weight / largest * vectors for weight, vectors in there)
    if not isinstance(whole, np.ndarray) or not (np.linalg.norm(whole, axis=1) > 1e-6).all():
        raise ConfigError("the parts of the query cancel each other out; change their weights")
    return unit_vectors(whole.astype(np.float32), "the query")


def find(engine: Engine, queries: Floats, selection: Selection) -> list[list[Hit]]:
    """Find the pictures that fit queries best.

    Args:
        engine: Keeps the gallery.
        queries: (Q, D) float32 of unit length.
        selection: What is taken.

    Returns:
        The hits of each query, the best first; equal scores in order of the rows' keys.

    Raises:
        GalleryError: There is no such fact.
    """
    if selection.group not in (None, CONTENT, *engine.facts()):
        unknown = unknown_name("fact", str(selection.group), [CONTENT, *engine.facts()])
        raise GalleryError(f"pictures cannot be grouped by {selection.group!r}: {unknown}")
    found = _ranked(engine, queries, selection.top, selection)
    if selection.group is None:
        return found
    count, many = engine.count(selection.where), selection.top
    while any(len(_grouped(hits, selection)) < selection.top and len(hits) == min(many, count) for hits in found):
        if many >= count:
            break
        many *= _FURTHER
        found = _ranked(engine, queries, many, selection)
    return [_grouped(hits, selection)[: selection.top] for hits in found]


@dataclass(frozen=True)
class _Found(Hit):
    """A hit with the content of its file."""

    content: str = ""


def _ranked(engine: Engine, queries: Floats, top: int, selection: Selection) -> list[list[Hit]]:
    found = engine.search(queries, top, selection.where)
    if selection.threshold is not None:
        found = [[(key, score) for key, score in hits if score >= selection.threshold] for hits in found]
    keys = list(dict.fromkeys(key for hits in found for key, _ in hits))
    records = {row.key: record_of(row) for row in engine.rows(keys)}
    # What was removed since it was found is no hit any more.
    return [_hits([(records[key], score) for key, score in hits if key in records]) for hits in found]


def _hits(found: Sequence[tuple[PictureRecord, float]]) -> list[Hit]:
    """Return hits by their score; equal ones in the order of their paths."""
    in_order = sorted(found, key=lambda one: (-one[1], one[0].path, one[0].box or (0, 0, 0, 0)))
    return [
        _Found(rank, Path(record.path), score, box=record.box, facts=record.facts, content=record.content)
        for rank, (record, score) in enumerate(in_order, start=1)
    ]


def _grouped(hits: Sequence[Hit], selection: Selection) -> list[Hit]:
    """Keep the best hit of each group, with the paths of the others."""
    groups: dict[Any, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(_group_of(hit, selection.group), []).append(hit)
    return [
        replace(first, rank=rank, alike=tuple(hit.picture for hit in others))
        for rank, (first, *others) in enumerate(groups.values(), start=1)
    ]


def _group_of(hit: Hit, group: str | None) -> object:
    alone = (hit.picture, hit.box)
    if group == CONTENT:
        return (hit.content, hit.box) if isinstance(hit, _Found) and hit.content else alone
    value = (hit.facts or {}).get(group or "")
    return alone if value is None else ("fact", value)


def plain(hits: Sequence[Hit]) -> list[Hit]:
    """Return hits without what only grouping needs."""
    names = list(Hit.__dataclass_fields__)
    return [Hit(**{name: getattr(hit, name) for name in names}) for hit in hits]


def ranked_again(hits: Sequence[Hit], count: int, scores: Callable[[Sequence[Hit]], Sequence[float]]) -> list[Hit]:
    """Rank the best hits again; the others follow in their order.

    Args:
        hits: The best first.
        count: How many are ranked again.
        scores: Gives the score of the pair of each.
    """
    best, rest = list(hits[:count]), hits[count:]
    found = scores(best) if best else []
    order = sorted(range(len(best)), key=lambda number: -found[number])
    again = [
        replace(
            best[number],
            rank=rank,
            score=float(found[number]),
            first_rank=best[number].rank,
            first_score=best[number].score,
        )
        for rank, number in enumerate(order, start=1)
    ]
    return [*again, *(replace(hit, rank=rank) for rank, hit in enumerate(rest, start=len(again) + 1))]
