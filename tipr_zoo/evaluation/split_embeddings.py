"""The embeddings of a split, and the figures that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from tipr_zoo.cards.record import TEXT_TO_IMAGE
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.evaluation.metrics import cosine_rows
from tipr_zoo.evaluation.query_figures import QueryFigures, SimilarityRows, figures_of_queries


@dataclass(frozen=True)
class Embeddings:
    """The embeddings of one split.

    Attributes:
        captions: (Q, D) float32, in the order of the data set's captions.
        pictures: (G, D) float32, in the order of its pictures.
    """

    captions: Tensor
    pictures: Tensor


def directed_metrics(
    embeddings: Embeddings, dataset: PersonDataset, direction: str = TEXT_TO_IMAGE
) -> dict[str, float]:
    """Compute the retrieval figures of a split from its embeddings.

    Args:
        embeddings: Of `dataset`.
        dataset: The split.
        direction: For ``"text-to-image"`` every caption is a query and every picture of the split is in the gallery.
            Pictures of the caption's identity are its matches. For ``"image-to-text"`` every picture is a query and
            every caption is in the gallery. Captions of the picture's identity are its matches.

    Returns:
        ``R1``, ``R5``, ``R10``, ``mAP`` and ``mINP`` in percent; see `tipr_zoo.evaluation.metrics`.

    Raises:
        DataError: A query has no match in the gallery, or an embedding is all zero or not finite.
    """
    return directed_figures(embeddings, dataset, direction).metrics()


def directed_figures(embeddings: Embeddings, dataset: PersonDataset, direction: str = TEXT_TO_IMAGE) -> QueryFigures:
    """Compute what these figures are means of, for every query.

    Args:
        embeddings: As in `directed_metrics`.
        dataset: Likewise.
        direction: Likewise.

    Raises:
        DataError: As there.
    """
    return figures_of_queries(directed_rows(embeddings, direction), *directed_ids(dataset, direction), None)


def directed_rows(embeddings: Embeddings, direction: str = TEXT_TO_IMAGE) -> SimilarityRows:
    """Return the cosine of each query with each gallery item, computed where it is read.

    Args:
        embeddings: As in `directed_metrics`.
        direction: Likewise.

    Raises:
        DataError: An embedding is all zero or not finite.
    """
    sides = embeddings.captions, embeddings.pictures
    return cosine_rows(*(sides if direction == TEXT_TO_IMAGE else sides[::-1]))


def directed_ids(dataset: PersonDataset, direction: str = TEXT_TO_IMAGE) -> tuple[Sequence[int], Sequence[int]]:
    """Return the identities of the queries and of the gallery items."""
    captions, pictures = dataset.caption_ids, dataset.picture_ids
    return (captions, pictures) if direction == TEXT_TO_IMAGE else (pictures, captions)
