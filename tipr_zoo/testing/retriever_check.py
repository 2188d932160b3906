"""Trying the promises of a retriever as a whole."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from tipr_zoo.models.component_check import checked_retriever
from tipr_zoo.models.similarity_part import of_part
from tipr_zoo.protocols import PairScorer, TokenPairScorer
from tipr_zoo.sentence_ends import end_positions
from tipr_zoo.testing.sample_batch import CAPTIONS, further_entries, sample_batch
from tipr_zoo.testing.trial import Trial, alike_every_time, expect, expect_finite, expect_same


def check_retriever(retriever: nn.Module) -> None:
    """Try every promise of a retriever: what training, evaluation, search and saving rely on.

    Args:
        retriever: The retriever. It is not changed. If it has an identity classifier, this must know 4 identities.

    Raises:
        BrokenPromiseError: A promise is broken. The message names the first one.
    """
    trial = Trial(f"retriever {type(retriever).__name__}")
    with trial.promise("is a module with all that every retriever has"):
        checked_retriever(retriever, "the model")
    with alike_every_time():
        copy: Any = deepcopy(retriever).eval()
        images, ids = _inputs(trial, copy)
        _check_embeddings(trial, copy, images, ids)
        if isinstance(copy, PairScorer):
            _check_pairs(trial, copy, images, ids)
        _check_loss(trial, copy, images, ids)


def _inputs(trial: Trial, retriever: Any) -> tuple[Tensor, Tensor]:
    """Make (B, 3, H, W) pictures and (B, L) ids with the retriever, and try both."""
    with trial.promise("preprocesses a picture of any size and mode to (3, H, W) float32"):
        height, width = retriever.image_size
        pictures = [
            retriever.preprocess(Image.effect_noise((20 + 3 * row, 60), 90.0).convert("RGB" if row % 2 else "L"))
            for row in range(len(CAPTIONS))
        ]
        for picture in pictures:
            expect(isinstance(picture, Tensor), f"it gives a {type(picture).__name__}")
            told = f"it gives {tuple(picture.shape)} {picture.dtype}"
            expect((tuple(picture.shape), picture.dtype) == ((3, height, width), torch.float32), told)
    with trial.promise("turns captions into (B, L) int64 ids, and one caption into a row"):
        ids, one = retriever.tokenize(CAPTIONS), retriever.tokenize(CAPTIONS[0])
        expect(isinstance(ids, Tensor) and ids.dtype == torch.int64, "it gives none")
        expect(ids.ndim == 2 and len(ids) == len(CAPTIONS), f"it gives {tuple(ids.shape)} for {len(CAPTIONS)} captions")
        expect_same(one, ids[:1], "the rows of a caption alone and among others")
    return torch.stack(pictures), ids


@torch.no_grad()
def _check_embeddings(trial: Trial, retriever: Any, images: Tensor, ids: Tensor) -> None:
    with trial.promise("embeds pictures and captions as finite (B, D) numbers of one size"):
        sides = {"pictures": retriever.encode_image(images), "captions": retriever.encode_text(ids)}
        for words, embedding in sides.items():
            expect(embedding.ndim == 2 and len(embedding) == len(images), f"{words}: {tuple(embedding.shape)}")
            expect_finite(embedding, f"the embeddings of {words}")
        sizes = [embedding.shape[1] for embedding in sides.values()]
        expect(sizes[0] == sizes[1], f"pictures have {sizes[0]} and captions {sizes[1]}")
    with trial.promise("embeds a picture and a caption alike whatever else is in the batch"):
        expect_same(retriever.encode_image(images[2:3]), sides["pictures"][2:3], "alone and among others, a picture's")
        expect_same(retriever.encode_text(ids[2:3]), sides["captions"][2:3], "alone and among others, a caption's")
    if getattr(retriever, "takes_cut_captions", False):
        with trial.promise("embeds a caption alike without the padding after its end token"):
            ends = end_positions(getattr(retriever, "text_encoder", None), ids)
            cut = ids[2:3, : int(ends[2]) + 1]
            expect_same(retriever.encode_text(cut), sides["captions"][2:3], "with and without padding, a caption's")
    for part in getattr(retriever, "parts", None) or {}:
        with trial.promise(f"has the columns of the part {part!r}"):
            of_part(sides["pictures"], retriever, part)


@torch.no_grad()
def _check_pairs(trial: Trial, retriever: PairScorer, images: Tensor, ids: Tensor) -> None:
    with trial.promise("scores pairs as finite (n,) numbers, each alike whatever else is in the batch"):
        scores = retriever.score_pairs(ids, images)
        expect(isinstance(scores, Tensor) and scores.shape == (len(ids),), "it gives something else")
        expect_finite(scores, "the scores")
        expect_same(retriever.score_pairs(ids[2:3], images[2:3]), scores[2:3], "alone and among others, a pair's")
    if not isinstance(retriever, TokenPairScorer):
        return
    with trial.promise("scores captions with one picture, by tokens without padding, as it scores the pairs"):
        expected = retriever.score_pairs(ids, images[:1].expand(len(ids), -1, -1, -1))
        length = int((ids != 0).any(dim=0).nonzero().max()) + 1
        tokens = retriever.encode_caption_tokens(ids[:, :length])
        tokens = tokens * (ids[:, :length] != 0).unsqueeze(-1)
        picture = retriever.encode_picture_tokens(images)[0]
        expect_same(retriever.score_captions(ids[:, :length], tokens, picture), expected, "by tokens and by pairs, the")


def _check_loss(trial: Trial, retriever: Any, images: Tensor, ids: Tensor) -> None:
    for objective in (getattr(retriever, "objectives", None) or {}).values():
        if hasattr(objective, "setup"):
            objective.setup(retriever)
    with trial.promise("gives its losses as finite scalars by key, with a gradient"):
        mask_id = getattr(retriever.tokenize, "mask_id", None)
        batch = sample_batch(images, ids, mask_id or 0, tokens=1)
        needed = ("images", "caption_ids", "pids") if mask_id is None else tuple(batch)[:-1]
        given = {name: batch[name] for name in needed}
        for objective in (getattr(retriever, "objectives", None) or {}).values():
            given = further_entries(objective, given)
        losses = retriever.loss(given)
        expect(isinstance(losses, dict) and bool(losses), f"it gives {losses!r}")
        for key, loss in losses.items():
            expect(isinstance(loss, Tensor) and not loss.ndim, f"{key} is no scalar")
            expect_finite(loss, f"{key}")
        sum(losses.values()).backward()
        learns = any(parameter.grad is not None for parameter in retriever.parameters())
        expect(learns, "no parameter has a gradient")
