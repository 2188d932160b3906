"""How much a sentence must say: what captions find that are cut after some words."""

from __future__ import annotations

from torch import Tensor

from tipr_zoo.cards.answers import ShortCaptions
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.evaluation.embedding import embed_captions
from tipr_zoo.evaluation.metrics import retrieval_metrics_from_embeddings
from tipr_zoo.models.similarity_part import of_part
from tipr_zoo.protocols import Retriever
from tipr_zoo.vocabulary.describing_words import cut_after, describing_words

LENGTHS = (2, 4, 8, 12)
"""How many different words that describe are left of captions."""


def measure_short_captions(
    model: Retriever,
    dataset: PersonDataset,
    pictures: Tensor,
    rank_1: float,
    *,
    part: str | None = None,
    progress: bool = False,
) -> tuple[ShortCaptions, ...]:
    """Measure captions that are cut.

    Args:
        model: In eval mode, on the device where it is to run.
        dataset: The split.
        pictures: (G, D) float32 embeddings of its pictures, of the part alone where there is one.
        rank_1: Rank-1 of its whole captions, in percent.
        part: The part of the model's similarity that is measured; None for the whole.
        progress: Whether to show progress bars on stderr.

    Returns:
        Captions of `LENGTHS`, as far as captions are longer in the mean, and the whole ones.
    """
    counts = [len(describing_words(caption)) for caption in dataset.captions]
    mean = max(1, round(sum(counts) / len(counts)))
    found = []
    for words in (length for length in LENGTHS if length < mean):
        captions = embed_captions(model, [cut_after(text, words) for text in dataset.captions], progress=progress)
        metrics = retrieval_metrics_from_embeddings(
            of_part(captions, model, part), pictures, dataset.caption_ids, dataset.picture_ids, ranks=(1,)
        )
        found.append(ShortCaptions(words=words, R1=round(metrics["R1"], 2)))
    return (*found, ShortCaptions(words=mean, R1=round(rank_1, 2)))
