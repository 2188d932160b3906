"""Searching a folder of pictures with a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.evaluation.embedding import embed_captions, embed_readable_pictures
from tipr_zoo.evaluation.metrics import cosine_rows
from tipr_zoo.evaluation.reranked_rows import Reranked
from tipr_zoo.evaluation.reranking import Reranking, check_can_rerank, rank_again
from tipr_zoo.gallery.asked import check_sentence, check_top
from tipr_zoo.gallery.hits import Hit as Hit
from tipr_zoo.gallery.ranking import best_pictures
from tipr_zoo.models.similarity_part import of_part, part_columns
from tipr_zoo.pictures.files import find_pictures
from tipr_zoo.protocols import Retriever
from tipr_zoo.terminal.log import logger


def search(
    model: Retriever,
    folder: Path,
    text: str,
    top: int = 10,
    progress: bool = False,
    part: str | None = None,
    *,
    rerank: int = 0,
) -> list[Hit]:
    """Find the pictures of a folder that fit a sentence best.

    A picture that cannot be read is left out, with a warning in the log. One more warning counts and names those in
    formats that cannot be decoded here.

    Args:
        model: A retriever in eval mode, on the device where it is to run.
        folder: The folder. Its sub-folders are searched, too.
        text: The sentence.
        top: Number of hits. Fewer where the folder holds fewer pictures.
        progress: Whether to show a progress bar on stderr.
        part: The part of the model's similarity to rank by, alone; None for the whole.
        rerank: How many of the best pictures are ranked again by `tipr_zoo.protocols.PairScorer`'s score of the pair;
            0 for none. The others follow in the order of their cosines.

    Returns:
        The hits, the best first. Equal scores stay in the order of their paths.

    Raises:
        ConfigError: The sentence is empty or has no word, `top` is below 1, the model has no parts or no score of
            pairs, or `rerank` makes no sense.
        UnknownNameError: The model has other parts.
        DataError: The folder is missing, or holds no readable picture.
        WeightsError: The model embeds the sentence or a picture as something else than finite numbers.
    """
    check_sentence(text)
    check_top(top)
    reranking = Reranking(rerank)
    if part is not None:
        part_columns(model, part)  # says at once where there is no such part
        if rerank:
            raise ConfigError(f"the part {part!r} alone is the first stage's; leave it out, or rerank {rerank}")
    check_can_rerank(model, reranking)
    files = find_pictures(folder)
    if told := files.told():
        logger.warning("%s", told)
    embedded = embed_readable_pictures(
        model, files.readable, progress=progress, on_unreadable=lambda error: logger.warning("%s", error)
    )
    paths = [path for path, read in zip(files.readable, embedded.is_read.tolist(), strict=True) if read]
    sentence = embed_captions(model, [text])[0]
    _check_finite(embedded.embeddings, paths, sentence)
    pictures, sentence = of_part(embedded.embeddings, model, part), of_part(sentence.unsqueeze(0), model, part)[0]
    unit = F.normalize(pictures, dim=-1)
    found = best_pictures(unit, sentence, len(paths) if rerank else top)
    hits = [Hit(rank, paths[index], score) for rank, (index, score) in enumerate(found, start=1)]
    rows = cosine_rows(sentence.unsqueeze(0), unit)
    again = rank_again(model, [text], paths, rows, reranking, progress=progress)
    return hits if again is None else _ranked_again(hits, [index for index, _ in found], again)[:top]


def _ranked_again(hits: list[Hit], indices: list[int], again: Reranked) -> list[Hit]:
    """Put the pictures that were ranked again before the others, which keep their order.

    Args:
        hits: All pictures in the order of the first stage.
        indices: Their numbers.
        again: What was ranked again, for one sentence.
    """
    hit_of = dict(zip(indices, hits, strict=True))
    columns, scores = again.order(0)
    first = [(hit_of.pop(column), score) for column, score in zip(columns.tolist(), scores.tolist(), strict=True)]
    ranked = [Hit(rank, hit.picture, score, hit.rank, hit.score) for rank, (hit, score) in enumerate(first, start=1)]
    rest = [replace(hit, rank=rank) for rank, hit in enumerate(hit_of.values(), start=len(ranked) + 1)]
    return ranked + rest


def _check_finite(pictures: Tensor, paths: Sequence[Path], sentence: Tensor) -> None:
    """Raise WeightsError where an embedding, (N, D) of pictures or (D,) of the sentence, is not finite."""
    is_finite = pictures.isfinite().all(dim=1)
    if bool(is_finite.all()) and bool(sentence.isfinite().all()):
        return
    wrong = [str(path) for path, right in zip(paths, is_finite.tolist(), strict=True) if not right]
    first = wrong[0] if wrong else "the sentence"
    raise WeightsError(f"the model embeds {first} as numbers that are not finite; its weights are damaged: load others")
