"""Embedding a data set with a model, and measuring how well its captions find its pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tipr_zoo.cards.record import FIRST_STAGE
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.distributed import gather_objects, process_count, process_rank
from tipr_zoo.errors import DataError, TiprZooError
from tipr_zoo.evaluation.model_place import place_of
from tipr_zoo.evaluation.preprocessed_pictures import PreprocessedPictures, stacked
from tipr_zoo.evaluation.query_figures import figures_of_queries
from tipr_zoo.evaluation.reranked_rows import reranked_rows
from tipr_zoo.evaluation.reranking import Reranking, check_can_rerank, rank_again
from tipr_zoo.evaluation.split_embeddings import Embeddings, directed_ids, directed_rows
from tipr_zoo.machine.processes import check_shared_memory
from tipr_zoo.models.kept_promises import embedded, tokenized
from tipr_zoo.protocols import Retriever
from tipr_zoo.sentence_ends import end_positions
from tipr_zoo.terminal.progress_bar import ProgressBar


@dataclass(frozen=True)
class ReadablePictures:
    """The embeddings of those pictures that could be read.

    Attributes:
        embeddings: (R, D) float32 on the CPU, not normalised, in the order of the paths.
        is_read: (G,) bool: which of the paths these are.
    """

    embeddings: Tensor
    is_read: Tensor


@torch.inference_mode()
def embed_pictures(
    model: Retriever,
    paths: Sequence[Path],
    batch_size: int = 64,
    num_workers: int = 0,
    progress: bool = False,
    *,
    mirrored: bool = False,
) -> Tensor:
    """Embed pictures from disk. Of several processes each embeds some batches, and all get all embeddings.

    Args:
        model: In eval mode, on the device where it is to run.
        paths: G picture files.
        batch_size: Pictures in one forward pass.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to show a progress bar on stderr.
        mirrored: Whether to embed their mirror images instead.

    Returns:
        (G, D) float32 on the CPU, not normalised.

    Raises:
        DataError: A picture is missing or cannot be read.
    """
    found = embed_readable_pictures(model, paths, batch_size, num_workers, progress, mirrored=mirrored)
    return found.embeddings


@torch.inference_mode()
def embed_readable_pictures(
    model: Retriever,
    paths: Sequence[Path],
    batch_size: int = 64,
    num_workers: int = 0,
    progress: bool = False,
    on_unreadable: Callable[[DataError], None] | None = None,
    *,
    mirrored: bool = False,
) -> ReadablePictures:
    """Embed those pictures that can be read. Of several processes each embeds some batches, and all get all embeddings.

    Args:
        model: In eval mode, on the device where it is to run.
        paths: G picture files.
        batch_size: Pictures in one forward pass.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to show a progress bar on stderr.
        on_unreadable: Told of each picture that is missing or cannot be read; that picture is then left out.
        mirrored: Whether to embed their mirror images instead.

    Raises:
        DataError: A picture is missing or cannot be read, and there is no `on_unreadable`; or none can be read.
    """
    device, dtype = place_of(model)
    if not paths:
        images = torch.empty(0, 3, *model.image_size, device=device, dtype=dtype)
        return ReadablePictures(model.encode_image(images).float().cpu(), torch.empty(0, dtype=torch.bool))
    batches = list(torch.arange(len(paths)).split(batch_size))
    own = [batch.tolist() for batch in batches[process_rank() :: process_count()]]
    pictures = PreprocessedPictures(paths, model, mirrored)
    if num_workers:
        check_shared_memory()
    loader = DataLoader(pictures, batch_sampler=own, num_workers=num_workers, collate_fn=stacked)
    parts: list[tuple[list[int], Tensor]] = []
    problems: list[TiprZooError] = []
    with ProgressBar(total=len(paths), desc="pictures", unit="picture", disable=not progress) as bar:
        for indices, (is_read, batch, errors) in zip(own, loader, strict=True):
            problems += errors
            if errors and (on_unreadable is None or not _are_of_pictures(errors)):
                break
            if batch is not None:
                read = [index for index, flag in zip(indices, is_read, strict=True) if flag]
                parts.append((read, embedded(model.encode_image, batch.to(device, dtype), model)))
            bar.update(min(process_count() * len(is_read), len(paths) - bar.n))
    for problem in (problem for of_process in gather_objects(problems) for problem in of_process):
        if on_unreadable is None or not isinstance(problem, DataError):
            raise problem
        on_unreadable(problem)
    found = _in_order(parts)
    if found is None:
        raise DataError(f"none of the {len(paths)} pictures can be read, {paths[0]} among them")
    embeddings, indices = found
    is_read = torch.zeros(len(paths), dtype=torch.bool).index_fill_(0, indices, True)
    return ReadablePictures(embeddings, is_read)


@torch.inference_mode()
def embed_captions(
    model: Retriever, captions: Sequence[str], batch_size: int | None = None, progress: bool = False
) -> Tensor:
    """Embed captions. Of several processes each embeds some batches, and all get all embeddings.

    Captions are taken in order of length. Each batch is cut after its longest one, if the model says by
    ``takes_cut_captions = True`` that this changes no embedding, as where attention is causal.

    Args:
        model: In eval mode, on the device where it is to run.
        captions: Q texts.
        batch_size: Captions in one forward pass. The default is 256, and 32 on a CPU: little of a small batch is
            padding, and its values stay in the CPU's cache.
        progress: Whether to show a progress bar on stderr.

    Returns:
        (Q, D) float32 on the CPU, not normalised, in the order of `captions`.
    """
    device, _ = place_of(model)
    batch_size = batch_size or (32 if device.type == "cpu" else 256)
    ids = tokenized(model.tokenize, captions, type(model).__name__)
    if not len(ids):
        return model.encode_text(ids.to(device)).float().cpu()
    can_cut = getattr(model, "takes_cut_captions", False)
    lengths = end_positions(getattr(model, "text_encoder", None), ids) + 1
    order = lengths.argsort(stable=True)
    parts: list[tuple[list[int], Tensor]] = []
    with ProgressBar(total=len(ids), desc="captions", unit="caption", disable=not progress) as bar:
        for rows in order.split(batch_size)[process_rank() :: process_count()]:
            longest = int(lengths[rows].max()) if can_cut else None
            part = embedded(model.encode_text, ids[rows, :longest].to(device), model)
            parts.append((rows.tolist(), part))
            bar.update(min(process_count() * len(rows), len(ids) - bar.n))
    found = _in_order(parts)
    assert found is not None
    return found[0]


def _are_of_pictures(errors: Sequence[TiprZooError]) -> bool:
    """Tell whether pictures alone are to blame, and not the model."""
    return all(isinstance(error, DataError) for error in errors)


def _in_order(own_parts: Sequence[tuple[list[int], Tensor]]) -> tuple[Tensor, Tensor] | None:
    """Put together what all processes have embedded: (R, D) in the order of the indices, and these, (R,) int64.

    Return None where nothing was embedded at all.
    """
    parts = [part for of_process in gather_objects(list(own_parts)) for part in of_process]
    if not parts:
        return None
    indices = torch.tensor([index for rows, _ in parts for index in rows])
    vectors = torch.cat([vectors for _, vectors in parts])
    order = indices.argsort()
    return vectors[order], indices[order]


def embed_dataset(model: Retriever, dataset: PersonDataset, num_workers: int = 0, progress: bool = False) -> Embeddings:
    """Embed every caption and every picture of a split.

    Args:
        model: In eval mode, on the device where it is to run.
        dataset: The split.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to show progress bars on stderr.

    Raises:
        DataError: A picture is missing or cannot be read.
    """
    captions = embed_captions(model, dataset.captions, progress=progress)
    return Embeddings(captions, embed_pictures(model, dataset.pictures, num_workers=num_workers, progress=progress))


def evaluate(
    model: Retriever,
    dataset: PersonDataset,
    num_workers: int = 0,
    progress: bool = False,
    *,
    rerank: int = 0,
    rerank_rest: str = FIRST_STAGE,
) -> dict[str, float]:
    """Measure the text-to-image retrieval figures of a model on a split.

    Args:
        model: In eval mode, on the device where it is to run.
        dataset: The split.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to show progress bars on stderr.
        rerank: How many of each caption's best pictures are ranked again by `tipr_zoo.protocols.PairScorer`'s score of
            the pair; 0 for the first stage alone.
        rerank_rest: The order of the others, one of `tipr_zoo.cards.record.RERANK_RESTS`.

    Returns:
        ``R1``, ``R5``, ``R10``, ``mAP`` and ``mINP`` in percent; see `directed_metrics`.

    Raises:
        ConfigError: `rerank` makes no sense, or the model has no score of pairs.
        DataError: A picture is missing or cannot be read, or a query has no match.
    """
    module, reranking = cast(nn.Module, model), Reranking(rerank, rerank_rest)
    check_can_rerank(model, reranking)
    was_training = module.training
    module.eval()
    try:
        rows = directed_rows(embed_dataset(model, dataset, num_workers, progress))
        found = rank_again(
            model, dataset.captions, dataset.pictures, rows, reranking, num_workers=num_workers, progress=progress
        )
    finally:
        module.train(was_training)
    final = rows if found is None else reranked_rows(rows, found)
    return figures_of_queries(final, *directed_ids(dataset), None).metrics()
