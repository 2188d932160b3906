"""One evaluation of a model of the zoo, with the evaluation record that lets anybody repeat it."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tipr_zoo.cards.record import DIRECTIONS, TEXT_TO_IMAGE, Record
from tipr_zoo.datasets.arguments import tell_changed_annotations
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.evaluation.embedding import embed_captions, embed_dataset, embed_pictures
from tipr_zoo.evaluation.embedding_cache import EmbeddingCache, captions_sha256, pictures_sha256
from tipr_zoo.evaluation.first_stage import FirstStage
from tipr_zoo.evaluation.kept_queries import KeptQueries, kept_queries
from tipr_zoo.evaluation.loaded_model import LoadedModel, load_model
from tipr_zoo.evaluation.postprocessing import parse_steps, postprocessed
from tipr_zoo.evaluation.query_figures import SimilarityRows, figures_of_queries
from tipr_zoo.evaluation.recorded_facts import command_again, facts_of_dataset, facts_of_model, facts_of_ranking
from tipr_zoo.evaluation.reranked_rows import Reranked, reranked_rows
from tipr_zoo.evaluation.reranking import FIRST_STAGE_ALONE, check_can_rerank, rank_again
from tipr_zoo.evaluation.split_embeddings import Embeddings, directed_ids
from tipr_zoo.models.similarity_part import of_part, part_columns


@dataclass(frozen=True)
class Outcome:
    """An evaluation.

    Attributes:
        record: Its evaluation record.
        dataset: What was measured on.
        embeddings: The embeddings behind it.
        queries: What was found of every query.
        similarity: The similarities of the first stage, a row for each query.
        reranked: The pictures that were ranked again; None where none were.
    """

    record: Record
    dataset: PersonDataset
    embeddings: Embeddings
    queries: KeptQueries
    similarity: SimilarityRows
    reranked: Reranked | None = None

    def best(self, query: int, top: int) -> list[tuple[int, float]]:
        """Return the best gallery items of one query: their numbers, and what they rank by, the best first.

        Items that were ranked again come first, with the score of the pair; the others have their similarity.
        Equal ones keep the order of the first stage, and there that of the gallery.

        Args:
            query: Its number.
            top: Number of items. All of them where there are fewer.
        """
        found = self.best_of_first_stage(query, self.similarity.gallery)
        if self.reranked is not None:
            columns, scores = self.reranked.order(query)
            again = dict(zip(columns.tolist(), scores.tolist(), strict=True))
            found = [*again.items(), *(each for each in found if each[0] not in again)]
        return found[:top]

    def best_of_first_stage(self, query: int, top: int) -> list[tuple[int, float]]:
        """Return the best gallery items of one query as `best` does, whatever was ranked again."""
        row = np.empty((1, self.similarity.gallery), self.similarity.dtype)
        self.similarity.read(query, query + 1, row)
        order = (-row[0]).argsort(kind="stable")[:top]
        return [(int(column), float(row[0, column])) for column in order]


def evaluate_and_record(
    name: str,
    dataset: PersonDataset,
    *,
    weights: Path | None = None,
    device: torch.device,
    num_workers: int = 0,
    progress: bool = False,
    overrides: Mapping[str, Any] | None = None,
    direction: str = TEXT_TO_IMAGE,
    use_cache: bool = False,
    rerank: int | None = None,
    rerank_rest: str | None = None,
    postprocess: Sequence[str] = (),
) -> Outcome:
    """Evaluate a model on a split.

    Args:
        name: The model's name.
        dataset: The split.
        weights: Weights to use instead of the card's.
        device: Where to run.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to show progress bars on stderr.
        overrides: Entries of the recipe to change, by dotted name.
        direction: ``"text-to-image"`` or ``"image-to-text"``.
        use_cache: Whether to take embeddings from the cache folder, and to keep them there.
        rerank: How many of each caption's best pictures are ranked again by the score of the pair, 0 for none; None for
            what the recipe says.
        rerank_rest: The order of the others, one of `tipr_zoo.cards.record.RERANK_RESTS`; None for what the recipe
            says.
        postprocess: Steps that change the first stage, such as ``"k_reciprocal:k1=20"``; see
            `tipr_zoo.evaluation.postprocessing`.

    Raises:
        ConfigError: The model has no score of pairs to rank pictures again by, or `rerank` makes no sense.
        WeightsError: There are no weights, or they are damaged or do not fit.
        DataError: A picture is missing or cannot be read, or a query has no match.
        TiprZooError: Whatever else `tipr_zoo.build` raises.
    """
    steps = parse_steps(postprocess)
    loaded = load_model(name, weights, device, overrides).with_reranking(rerank, rerank_rest, [direction])
    loaded = replace(loaded, postprocess=steps)
    return measure(loaded, dataset, [direction], num_workers, progress, use_cache)[0]


def measure(
    loaded: LoadedModel,
    dataset: PersonDataset,
    directions: Sequence[str] = DIRECTIONS,
    num_workers: int = 0,
    progress: bool = False,
    use_cache: bool = False,
) -> list[Outcome]:
    """Evaluate a model on a split in one or both directions. It is embedded once.

    Where the model says so, the best pictures of each caption are ranked again. Captions never are.

    Args:
        loaded: The model.
        dataset: The split.
        directions: Some of `tipr_zoo.cards.record.DIRECTIONS`.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to show progress bars on stderr.
        use_cache: Whether to take embeddings from the cache folder, and to keep them there.

    Returns:
        One outcome for each direction. The first one's durations are those of embedding and comparing, the others'
        those of comparing alone.

    Raises:
        ConfigError: Pictures are to be ranked again, and the model has no score of pairs.
        DataError: A picture is missing or cannot be read, or a query has no match.
    """
    if loaded.part is not None:
        part_columns(loaded.model, loaded.part)  # says at once where there is no such part
        loaded = replace(loaded, reranking=FIRST_STAGE_ALONE)
    check_can_rerank(loaded.model, loaded.reranking)
    facts = facts_of_model(loaded) | facts_of_dataset(dataset)
    tell_changed_annotations(dataset)
    started = time.perf_counter()
    pictures_hash = pictures_sha256(dataset.pictures)
    cache = EmbeddingCache(loaded.sha256) if use_cache else None
    whole, from_cache = _embed(loaded, dataset, pictures_hash, cache, num_workers, progress)
    embeddings = Embeddings(*(of_part(side, loaded.model, loaded.part) for side in (whole.captions, whole.pictures)))
    stage = FirstStage(
        embeddings.captions,
        embeddings.pictures,
        functools.cache(lambda: _embed_mirrored(loaded, dataset, pictures_hash, cache, num_workers, progress)),
    )
    outcomes = []
    for direction in directions:
        rows = postprocessed(replace(stage, direction=direction), loaded.postprocess).rows()
        reranked = _ranked_again(loaded, dataset, rows, direction, num_workers, progress)
        final = rows if reranked is None else reranked_rows(rows, reranked)
        figures = figures_of_queries(final, *directed_ids(dataset, direction), None)
        ranking = facts_of_ranking(loaded, reranked, direction)
        sizes = [len(dataset.captions), len(dataset.pictures)]
        queries, gallery = sizes if direction == TEXT_TO_IMAGE else sizes[::-1]
        now = time.perf_counter()
        record = Record(
            **facts | ranking,
            direction=direction,
            metrics={key: round(value, 4) for key, value in figures.metrics().items()},
            queries=queries,
            gallery=gallery,
            pictures_sha256=pictures_hash,
            command=command_again(loaded, dataset, direction, reranked),
            duration_seconds=round(now - started, 2),
            from_cache=from_cache,
        )
        kept = kept_queries(figures, dataset, direction)
        outcomes.append(Outcome(record, dataset, embeddings, kept, rows, reranked))
        started = now
    return outcomes


def _embed(
    loaded: LoadedModel,
    dataset: PersonDataset,
    pictures_hash: str,
    cache: EmbeddingCache | None,
    num_workers: int,
    progress: bool,
) -> tuple[Embeddings, tuple[str, ...]]:
    """Embed a split, or take it from the cache; return also which of the embeddings come from the cache."""
    if cache is None:
        return embed_dataset(loaded.model, dataset, num_workers, progress), ()
    captions, captions_found = cache.embed(
        "captions",
        captions_sha256(dataset.captions),
        lambda: embed_captions(loaded.model, dataset.captions, progress=progress),
    )
    pictures, pictures_found = cache.embed(
        "pictures",
        pictures_hash,
        lambda: embed_pictures(loaded.model, dataset.pictures, num_workers=num_workers, progress=progress),
    )
    from_cache = {"captions": captions_found, "pictures": pictures_found}
    return Embeddings(captions, pictures), tuple(kind for kind, found in from_cache.items() if found)


def _embed_mirrored(
    loaded: LoadedModel,
    dataset: PersonDataset,
    pictures_hash: str,
    cache: EmbeddingCache | None,
    num_workers: int,
    progress: bool,
) -> Tensor:
    """Embed the mirrored pictures of a split, or take them from the cache."""

    def embed() -> Tensor:
        pictures = dataset.pictures
        return embed_pictures(loaded.model, pictures, num_workers=num_workers, progress=progress, mirrored=True)

    found = embed() if cache is None else cache.embed("mirrored pictures", pictures_hash, embed)[0]
    return of_part(found, loaded.model, loaded.part)


def _ranked_again(
    loaded: LoadedModel,
    dataset: PersonDataset,
    rows: SimilarityRows,
    direction: str,
    num_workers: int,
    progress: bool,
) -> Reranked | None:
    """Rank the best pictures of each caption again, where that is asked for; captions are not."""
    if direction != TEXT_TO_IMAGE:
        return None
    captions, pictures = dataset.captions, dataset.pictures
    return rank_again(
        loaded.model, captions, pictures, rows, loaded.reranking, num_workers=num_workers, progress=progress
    )
