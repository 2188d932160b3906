"""One training step of RaSa: everything of a batch that its losses are computed from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tipr_zoo.distributed import gather_rows, process_count
from tipr_zoo.errors import DataError
from tipr_zoo.features import Batch
from tipr_zoo_rasa.caption_draws import masked_for_replacement, padded, weak_captions
from tipr_zoo_rasa.cross_attention_layers import KeysValues, joined, rows_of
from tipr_zoo_rasa.drawing import draw_among_pairs, draw_tokens
from tipr_zoo_rasa.fusion_features import FusionFeatures
from tipr_zoo_rasa.precision import in_full
from tipr_zoo_rasa.word_objectives import IGNORED


class TrainingPass:
    """The features of one batch. Pictures and their keys are computed once, and each part only where it is needed.

    Args:
        model: The model, a `RaSa`.
        batch: This process's rows; see the model.
        patch_tokens: Whether ``image_tokens`` are to have those of the patches.
    """

    def __init__(self, model: Any, batch: Batch, patch_tokens: bool) -> None:
        # The published code calls a batch's captions "ids".
        renamed = "ids" in batch and "caption_ids" not in batch
        self.model, self.batch = model, {**batch, "caption_ids": batch["ids"]} if renamed else batch
        self.needs = {
            need for objective in model.objectives.values() for need in getattr(objective, "needs_of_step", ())
        }
        self.patch_tokens = patch_tokens
        # A loss that is computed without gradient, to look at it, changes nothing.
        self.learns = torch.is_grad_enabled()

    def features(self) -> FusionFeatures:
        """Compute all that the model's objectives need."""
        model, batch = self.model, self.batch
        if self.needs & {"momentum", "masked", "replaced"}:
            model.add_momentum()
            if self.learns:
                model.momentum.follow(model, model.masked_words, model.momentum_kept)
        image_tokens = model.image_encoder(batch["images"])
        weak_ids, weak = weak_captions(batch, model.weak_probability)
        text_tokens = model.text_encoder(weak_ids)
        shown = image_tokens if self.patch_tokens else image_tokens[:, :1]
        shown_tokens = model.image_projection(shown), model.text_projection(text_tokens)
        image_embedding, text_embedding = model.embeddings_of_tokens(image_tokens, text_tokens)
        features = FusionFeatures(*shown_tokens, image_embedding, text_embedding, weak=weak)
        pictures = model.fusion_encoder.keys_values(image_tokens) if self.needs - {"momentum"} else []
        if self.needs & {"momentum", "masked", "replaced"}:
            features = self._with_momentum(features, weak_ids, pictures)
        if "pairs" in self.needs:
            tokens = self._pair_tokens(features, image_tokens, text_tokens, weak_ids, pictures)
            features = replace(features, pair_tokens=tokens)
        if "masked" in self.needs:
            features = replace(features, masked_tokens=model.fused(batch["mlm_ids"], pictures))
        return features

    def _with_momentum(self, features: FusionFeatures, weak_ids: Tensor, pictures: KeysValues) -> FusionFeatures:
        """Add what the momentum copy makes of the second view of the pictures, and what is made of that."""
        batch, teacher = self.batch, self.model.momentum
        with torch.no_grad():
            image_tokens = teacher.image_encoder(batch["images_m"] if "images_m" in batch else batch["images"])
            if "momentum" in self.needs:
                embeddings = teacher.embeddings_of_tokens(image_tokens, teacher.text_encoder(weak_ids))
                images, texts = (F.normalize(in_full(each), dim=1) for each in embeddings)
                contrast = self.model.contrast_head
                contrast.setup(self.model)  # where nobody has, as in a loss outside of a training
                others = contrast.contrast(images, texts, batch["pids"], enqueue=self.learns)
                features = replace(features, momentum_images=images, momentum_texts=texts, contrasted=others)
            if not self.needs & {"masked", "replaced"}:
                return features
            seen_pictures = teacher.fusion_encoder.keys_values(image_tokens)
            if "masked" in self.needs:
                features = replace(features, momentum_masked_tokens=teacher.fused(batch["mlm_ids"], seen_pictures))
            if "replaced" in self.needs:
                ids, labels = self._replaced(seen_pictures)
                features = replace(features, replaced_ids=ids, replaced_labels=labels)
        if features.replaced_ids is not None:
            features = replace(features, replaced_tokens=self.model.fused(features.replaced_ids, pictures))
        return features

    def _replaced(self, pictures: KeysValues) -> tuple[Tensor, Tensor]:
        """Let the momentum copy write captions anew: (B, L) int64 ids, and their labels."""
        batch, model, teacher = self.batch, self.model, self.model.momentum
        ids = batch["caption_ids"]
        seen = model.seen(ids)
        masked = masked_for_replacement(batch, model.tokenize, seen, model.replaced_share)
        length = max(ids.shape[1], masked.shape[1])
        ids, masked = padded(ids, length), padded(masked, length)
        seen = padded(seen, length)
        tokens = teacher.fusion_encoder(teacher.text_encoder(masked), model.seen(ids), pictures)
        weights = teacher.masked_words.logits(tokens, teacher.text_encoder).softmax(2)
        drawn = draw_tokens(weights, batch.get("replacement_noise"))
        drawn[:, 0] = ids[:, 0]
        drawn = torch.where(seen, drawn, 0)
        is_judged = (drawn != 0) & (drawn != ids[:, :1])
        return drawn, torch.where(is_judged, (drawn != ids).long(), IGNORED)

    def _pair_tokens(
        self, features: FusionFeatures, image_tokens: Tensor, text_tokens: Tensor, ids: Tensor, pictures: KeysValues
    ) -> Tensor:
        """Fuse each pair, its caption with another picture, and its picture with another caption: (B, 3, W)."""
        model = self.model
        seen = model.seen(ids)
        images, texts = self._negatives(features)
        if process_count() == 1:
            other_pictures, other_texts, other_seen = rows_of(pictures, images), text_tokens[texts], seen[texts]
        else:
            other_pictures = model.fusion_encoder.keys_values(gather_rows(image_tokens)[images])
            other_texts, other_seen = gather_rows(text_tokens)[texts], gather_rows(seen.long())[texts].bool()
        tokens = model.fusion_encoder(
            torch.cat([text_tokens, text_tokens, other_texts]),
            torch.cat([seen, seen, other_seen]),
            joined(pictures, other_pictures, pictures),
            first_alone=True,
        )
        return tokens.squeeze(1).unflatten(0, (3, len(ids))).transpose(0, 1)

    def _negatives(self, features: FusionFeatures) -> tuple[Tensor, Tensor]:
        """Draw another person's picture for each caption, and another person's caption for each picture: (B,) each."""
        own, others = self._compared(features)
        pids = gather_rows(self.batch["pids"])
        same = self.batch["pids"].unsqueeze(1) == pids
        if bool(same.all(1).any()):
            raise DataError(
                "a batch shows one person alone, so there is no wrong pair to draw for matching; raise"
                " training.batch_size, or take a training.sampler that mixes people"
            )
        noise = self.batch.get("matching_noise")
        drawn = []
        # First a picture for each caption, then a caption for each picture.
        for column, (row, other) in enumerate(((own[1], others[0]), (own[0], others[1]))):
            similarity = (row @ other.t() / self.model.temperature).masked_fill(same, -torch.inf)
            chances, even = similarity.softmax(1), (~same).to(similarity)
            chances = torch.lerp(chances, even / even.sum(1, keepdim=True), self.model.evenly_drawn)
            drawn.append(draw_among_pairs(chances, None if noise is None else noise[:, column]))
        return drawn[0], drawn[1]

    @torch.no_grad()
    def _compared(self, features: FusionFeatures) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the embeddings of this process, and those of all that they are compared with, of unit length."""
        image, text = (
            F.normalize(in_full(each), dim=1) for each in (features.image_embedding, features.text_embedding)
        )
        count = process_count() * len(image)
        if (contrasted := features.contrasted) is not None:
            return (image, text), (contrasted.images[:count], contrasted.texts[:count])
        return (image, text), (gather_rows(image), gather_rows(text))
