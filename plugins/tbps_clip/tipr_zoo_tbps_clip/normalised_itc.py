"""TBPS-CLIP's N-ITC: image-text contrast with identities as targets, softened by what the model itself gives."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.checked_number import checked_number
from tipr_zoo.losses.cosine_similarity import cosine_similarity
from tipr_zoo.losses.sdm import matching_distribution
from tipr_zoo.registries import HEADS
from tipr_zoo_tbps_clip.embedded_view import embedded_view
from tipr_zoo_tbps_clip.learned_scale import USUAL_SCALE, similarity_scale
from tipr_zoo_tbps_clip.second_pass import second_captions, second_pictures

RATIO = "soft_label_ratio"
"""The entry of a batch with the ratio of soft labels: (B,) in [0, 1], for each pair."""


@HEADS.register_module()
class NormalisedITC(nn.Module):
    """N-ITC (arXiv 2308.10045): cross-entropy to the distribution of identities, mixed with soft labels, both ways.

    The target of a row is ``ratio * softmax(similarities) + (1 - ratio) * same identities``, each row of sum 1. The
    similarities in it are those of a second pass without gradient; see `tipr_zoo_tbps_clip.second_pass`.

    Args:
        ratio: Share of the soft labels, where the batch has no ``soft_label_ratio``.
        scale: What cosines are multiplied by, where the model has no learned scale.

    Raises:
        ConfigError: `ratio` is not from 0 to 1, or `scale` is no number above 0.
    """

    needs_patch_tokens = False

    def __init__(self, ratio: float = 0.5, scale: float = USUAL_SCALE) -> None:
        super().__init__()
        if not 0 <= checked_number(f"ratio of {type(self).__name__}", ratio) <= 1:
            raise ConfigError(f"ratio of {type(self).__name__} must be from 0 to 1, got {ratio!r}")
        self.ratio, self.scale = ratio, checked_number(f"scale of {type(self).__name__}", scale, is_scale=True)

    def forward(self, features: Features, batch: Batch, retriever: DualEncoder) -> Tensor:
        """Compute the loss of a batch, a scalar.

        Args:
            features: The features of the batch; both embeddings are read.
            batch: Needs ``pids``; takes ``soft_label_ratio``, (B,) in [0, 1].
            retriever: The model; it is run again where it draws, as with dropout.

        Raises:
            DataError: ``soft_label_ratio`` is not one number from 0 to 1 for each pair.
        """
        pictures = second_pictures(features, batch, retriever, type(self).__name__)
        return self._contrast(features, (pictures, second_captions(features, batch, retriever)), batch, retriever)

    def _contrast(
        self, features: Features, second: tuple[Tensor, Tensor], batch: Batch, retriever: DualEncoder
    ) -> Tensor:
        scale = similarity_scale(retriever, self.scale)
        logits = scale * cosine_similarity(features.image_embedding, features.text_embedding)
        with torch.no_grad():
            ratio, same = self._ratios(batch, logits), matching_distribution(batch["pids"])
            soft = scale * cosine_similarity(*second)
            targets = [ratio * way.softmax(dim=1) + (1 - ratio) * same for way in (soft, soft.t())]
        ways = zip((logits, logits.t()), targets, strict=True)
        losses = [-(target * way.log_softmax(dim=1)).sum(dim=1).mean() for way, target in ways]
        return (losses[0] + losses[1]) / 2

    def _ratios(self, batch: Batch, like: Tensor) -> Tensor:
        """Return the ratio of each pair, (B, 1)."""
        given, count = batch.get(RATIO), len(like)
        if given is None:
            return like.new_full((count, 1), self.ratio)
        if given.shape != (count,):
            raise DataError(
                f"the batch's {RATIO!r} must be one number a pair, of shape ({count},), got {(*given.shape,)}"
            )
        ratio = given.to(like).unsqueeze(1)
        if not bool(((ratio >= 0) & (ratio <= 1)).all()):  # NaN, too, is refused
            raise DataError(f"the batch's {RATIO!r} must be numbers from 0 to 1, got {given.tolist()}")
        return ratio


@HEADS.register_module()
class MultiViewITC(NormalisedITC):
    """N-ITC with multi-view supervision (MVS-I): the mean of N-ITC on the pictures and on another view of them.

    A recipe brings the view by ``training.views=dict(augmented=...)``.

    Args:
        ratio: As in `NormalisedITC`.
        scale: As in `NormalisedITC`.
    """

    needs_of_batch = ("augmented",)

    def forward(self, features: Features, batch: Batch, retriever: DualEncoder) -> Tensor:
        """Compute the loss of a batch, a scalar; see `NormalisedITC`.

        Args:
            features: The features of the batch; both embeddings are read.
            batch: Needs ``pids`` and ``augmented``, (B, 3, H, W); takes ``soft_label_ratio``, (B,) in [0, 1].
            retriever: The model; it embeds the augmented pictures.

        Raises:
            DataError: There is no ``augmented``, or ``soft_label_ratio`` is wrong.
        """
        (view,) = self.needs_of_batch
        name = type(self).__name__
        other = replace(features, image_embedding=embedded_view(batch, view, retriever, name))
        captions = second_captions(features, batch, retriever)
        losses = [
            self._contrast(each, (second_pictures(each, batch, retriever, name, entry), captions), batch, retriever)
            for each, entry in ((features, "images"), (other, view))
        ]
        return (losses[0] + losses[1]) / 2
