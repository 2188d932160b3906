"""Searching a gallery: from what is asked to the hits."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from tipr_zoo.errors import ConfigError
from tipr_zoo.gallery.asked import check_sentence, check_sentences
from tipr_zoo.gallery.facts import read_conditions
from tipr_zoo.gallery.hits import Hit
from tipr_zoo.gallery.opened import OpenedGallery
from tipr_zoo.gallery.picture_contents import Crops
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings, embedded_batches
from tipr_zoo.gallery.querying import QueryWeights, Selection, combined, find, plain, ranked_again
from tipr_zoo.protocols.engines import Fact

Where = Mapping[str, Fact] | Sequence[Any] | str | None
"""What pictures must be like: values by fact, or conditions as ``"time>=2026-05-01"``."""


@dataclass(frozen=True)
class Query:
    """What is searched for.

    Attributes:
        sentences: Sentences, each of which is answered; None where a picture alone is.
        picture: A picture of a person, for more like this one.
        minus: A sentence that is taken away.
        weights: How much each counts.
        rerank: How many of the best are ranked again by the model's score of the pair; 0 for none.
    """

    sentences: Sequence[str] | None = None
    picture: str | os.PathLike[str] | None = None
    minus: str | None = None
    weights: QueryWeights = field(default_factory=QueryWeights)
    rerank: int = 0

    def __post_init__(self) -> None:
        """Check what can be checked without the gallery.

        Raises:
            ConfigError: A sentence is empty, or a number makes no sense.
        """
        check_sentences(self.sentences or [])
        if self.minus is not None:
            check_sentence(self.minus, "the sentence to take away")
        if self.sentences is None and self.picture is None:
            raise ConfigError("there is nothing to search for; give a sentence or a picture")
        if self.picture is not None and not isinstance(self.picture, str | bytes | os.PathLike):
            raise ConfigError(f"the picture to search for is named by its path, got a {type(self.picture).__name__}")
        if not isinstance(self.weights, QueryWeights):
            raise ConfigError(f"weights are QueryWeights(text=..., picture=..., minus=...), got {self.weights!r}")
        if isinstance(self.rerank, bool) or not isinstance(self.rerank, Integral) or self.rerank < 0:
            raise ConfigError(f"rerank must be a whole number from 0, got {self.rerank!r}")
        if self.rerank and not self.sentences:
            raise ConfigError("pictures are ranked again by a sentence; give one, or leave rerank out")


def search_gallery(gallery: OpenedGallery, query: Query, where: Where, selection: Selection) -> list[list[Hit]]:
    """Search a gallery.

    Args:
        gallery: The gallery.
        query: What is searched for.
        where: What pictures must be like, as a caller gives it.
        selection: What else is taken of what is found.

    Returns:
        The hits of each sentence, the best first; one list where a picture alone is searched for.

    Raises:
        TiprZooError: As of `tipr_zoo.Gallery.search`.
    """
    model = gallery.model(embeds_pictures=query.picture is not None or query.rerank > 0)
    wanted = replace(selection, where=read_conditions(where, gallery.engine.facts()))
    queries = combined(
        [
            (query.weights.text, model.embed_sentences(list(query.sentences)) if query.sentences else None),
            (query.weights.picture, None if query.picture is None else _embed_picture(gallery, query.picture)),
            (-query.weights.minus, None if query.minus is None else model.embed_sentences([query.minus])),
        ]
    )
    found = find(gallery.engine, queries, replace(wanted, top=max(wanted.top, query.rerank)))
    if not query.rerank:
        return [plain(hits) for hits in found]
    from tipr_zoo.gallery.reranking import pair_scores  # not at the top: few ask for it

    whole = model.whole()
    return [
        plain(ranked_again(hits, query.rerank, partial(pair_scores, whole, text)))[: wanted.top]
        for text, hits in zip(query.sentences or [], found, strict=True)
    ]


def _embed_picture(gallery: OpenedGallery, picture: str | os.PathLike[str]) -> npt.NDArray[np.float32]:
    """Embed one picture: -> (1, D) float32 of unit length."""
    crops = Crops([(os.fsdecode(picture), None)], gallery.pictures_model())
    (batch,) = embedded_batches(crops, EmbeddingSettings(workers=0, precision=gallery.header.precision))
    for error in batch.errors.values():
        raise error
    return batch.vectors
