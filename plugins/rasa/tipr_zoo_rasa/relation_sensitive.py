"""RaSa's model (arXiv 2305.13653): a dual encoder, and a cross-encoder behind it that ranks again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tipr_zoo.backbones.tower_sizes import check_counts
from tipr_zoo.dual_encoder import DualEncoder, without_images
from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.features import Batch, Features
from tipr_zoo.machine.linear_products import linear_products
from tipr_zoo.registries import BACKBONES, MODELS
from tipr_zoo_rasa.fused_towers import FusedTowers
from tipr_zoo_rasa.momentum_contrast import MomentumContrast
from tipr_zoo_rasa.momentum_towers import MomentumTowers
from tipr_zoo_rasa.pair_objectives import PositiveRelationDetection
from tipr_zoo_rasa.training_pass import TrainingPass
from tipr_zoo_rasa.word_objectives import MomentumMaskedWords, ReplacedTokenDetection

logger = logging.getLogger("tipr_zoo")


@MODELS.register_module()
class RaSa(FusedTowers, DualEncoder):
    """Two towers whose first tokens are compared, and layers in which a caption attends to a picture.

    The cosine of both embeddings ranks all pictures. `score_pairs` says how well one picture and one caption match,
    which costs far more, and ranks the best of them again.

    In training a momentum copy follows the model. It embeds the second view of a picture, gives soft labels, and writes
    words anew. A batch may have these entries besides the usual ones:

    - ``images_m``, (B, 3, H, W): the second view of the pictures; the first one where it is missing.
    - ``weak_ids``, (B, L) int64, and ``weak``, (B,) int64: captions of which some are others of the same person, and
      which are. Without them they are drawn from ``second_caption_ids``, or none is weak.
    - ``mrtd_ids``, (B, L) int64: captions with masked words for the momentum copy to write in; drawn where they are
      missing.
    - ``matching_noise``, (B, 2), and ``replacement_noise``, (B, L), both in [0, 1): what decides which pictures and
      captions are drawn for wrong pairs, and which tokens the momentum copy writes. 0 takes the likeliest.
    - ``soft_label_ratio``, (B,): in the place of the model's own.

    Args:
        fusion_encoder: The cross-encoder, a component such as `CrossAttentionLayers`.
        embedding_size: Size D of the embeddings.
        momentum: The share of each number of the momentum copy that stays in a step.
        soft_label_ratio: The share of the momentum copy's own opinion in targets.
        weak_probability: Chance of a pair to get another caption of the same person.
        replaced_share: Chance of a word to be masked for the momentum copy.
        evenly_drawn: The share of wrong pairs that are drawn with the same chance for all other people. The rest is
            drawn by similarity, as the paper draws all. A cross-encoder that starts from nothing learns little from
            pairs that are hard to tell apart.
        matching_head: What maps a pair's first token, (..., W), to two numbers, "they do not match" and "they match": a
            component of BACKBONES. None for RaSa's, one linear layer.
        **towers: Those of `DualEncoder`. The towers have ``width``, and their tokens are not projected.

    Raises:
        ConfigError: The parts do not fit each other, or a number makes no sense.
    """

    has_separate_rows = True
    needs_of_batch = ("second_caption_ids", "images_m")
    interpolation = "bicubic"
    training_interpolation = "bicubic"

    def __init__(
        self,
        fusion_encoder: Mapping[str, Any],
        embedding_size: int = 256,
        momentum: float = 0.995,
        soft_label_ratio: float = 0.4,
        weak_probability: float = 0.1,
        replaced_share: float = 0.3,
        evenly_drawn: float = 0.0,
        matching_head: Mapping[str, Any] | None = None,
        **towers: Any,
    ) -> None:
        super().__init__(**towers)
        shares = {"soft_label_ratio": soft_label_ratio, "weak_probability": weak_probability}
        shares |= {"replaced_share": replaced_share, "evenly_drawn": evenly_drawn}
        for name, share in {"momentum": momentum, **shares}.items():
            if not 0 <= share <= 1:
                raise ConfigError(f"{name} must be from 0 to 1, got {share!r} (model.{name})")
        check_counts(embedding_size=embedding_size)
        self.embedding_size, self.momentum_kept, self.soft_label_ratio = embedding_size, momentum, soft_label_ratio
        self.weak_probability, self.replaced_share = weak_probability, replaced_share
        self.evenly_drawn = evenly_drawn
        self.fusion_encoder = BACKBONES.build(dict(fusion_encoder))
        widths = self._checked_widths()
        self.image_projection = nn.Linear(widths[0], embedding_size)
        self.text_projection = nn.Linear(widths[1], embedding_size)
        self.matching_head = BACKBONES.build(dict(matching_head)) if matching_head else nn.Linear(widths[1], 2)
        self.temperature = nn.Parameter(torch.tensor(0.07))
        self.momentum: Any = None
        self._training_state: dict[str, Tensor] = {}
        self._check_objectives()

    @classmethod
    def text_side(cls, text_encoder: Any, tokenizer: Any, neck: Any = None, **others: Any) -> DualEncoder:
        """Make what embeds sentences alone; see `DualEncoder.text_side`.

        Args:
            text_encoder: The text tower.
            tokenizer: The tokenizer.
            neck: What both embeddings go through, where there is such.
            others: The other entries of the recipe's ``model``.
        """
        return _SentencesAlone(text_encoder, tokenizer, neck, **others)

    def embed_images(self, images: Tensor) -> Tensor:
        """Embed checked pictures: (B, 3, H, W) -> (B, D)."""
        embedding: Tensor = self.image_projection(self.image_encoder(images)[:, 0])
        return embedding if self.neck is None else self.neck.image(embedding)

    def embed_ids(self, ids: Tensor) -> Tensor:
        """Embed checked captions: (B, L) -> (B, D)."""
        embedding: Tensor = self.text_projection(self.text_encoder(ids)[:, 0])
        return embedding if self.neck is None else self.neck.text(embedding)

    def tokens(self, batch: Batch, patch_tokens: bool = True) -> tuple[Tensor, Tensor]:
        """Embed every token of a batch: -> (B, 1 + N, D), or (B, 1, D) without patches, and (B, L, D)."""
        with linear_products(batch["images"].device):
            image_tokens, text_tokens = self.image_encoder(batch["images"]), self.text_encoder(batch["caption_ids"])
            image_tokens = image_tokens if patch_tokens else image_tokens[:, :1]
            return self.image_projection(image_tokens), self.text_projection(text_tokens)

    def features(self, batch: Batch, patch_tokens: bool = True) -> Features:
        """Compute what the model's objectives need; where a gradient is wanted, the momentum copy follows before.

        Args:
            batch: See the class.
            patch_tokens: Whether ``image_tokens`` are to have those of the patches.

        Raises:
            DataError: The batch lacks something, or shows one person alone.
        """
        with linear_products(batch["images"].device):
            return TrainingPass(self, batch, patch_tokens).features()

    # Pairs

    def encode_picture_tokens(self, images: Tensor) -> Tensor:
        """Encode pictures as `score_captions` takes them: (B, 3, H, W) -> (B, T, W)."""
        with linear_products(images.device):
            tokens: Tensor = self.image_encoder(images)
            return tokens

    def encode_caption_tokens(self, ids: Tensor) -> Tensor:
        """Encode captions as `score_captions` takes them: (B, L) int64 -> (B, L, W)."""
        with linear_products(ids.device):
            tokens: Tensor = self.text_encoder(ids)
            return tokens

    def score_captions(self, ids: Tensor, caption_tokens: Tensor, picture_tokens: Tensor) -> Tensor:
        """Score captions with one picture, whose keys and values are computed once.

        Args:
            ids: (n, L) int64.
            caption_tokens: (n, L, W), from `encode_caption_tokens`.
            picture_tokens: (T, W), of one picture, from `encode_picture_tokens`.

        Returns:
            (n,), higher where they match better.
        """
        with linear_products(ids.device):
            pictures = self.fusion_encoder.keys_values(picture_tokens.unsqueeze(0))
            first = self.fusion_encoder(caption_tokens, self.seen(ids), pictures, first_alone=True)
            scores: Tensor = self.matching_head(first[:, 0])[:, 1]
            return scores

    def score_pairs(self, ids: Tensor, images: Tensor) -> Tensor:
        """Score pairs of a caption and a picture.

        Args:
            ids: (n, L) int64.
            images: (n, 3, H, W), as many.

        Returns:
            (n,), higher where they match better: what the matching head says for "they match", no probability.

        Raises:
            DataError: There are not as many pictures as captions.
        """
        if len(ids) != len(images):
            raise DataError(f"score_pairs takes as many captions as pictures, not {len(ids)} and {len(images)}")
        with linear_products(images.device):
            pictures = self.fusion_encoder.keys_values(self.image_encoder(images))
            first = self.fusion_encoder(self.text_encoder(ids), self.seen(ids), pictures, first_alone=True)
            scores: Tensor = self.matching_head(first[:, 0])[:, 1]
            return scores

    # What training adds

    @property
    def masked_words(self) -> MomentumMaskedWords | None:
        """The head that predicts words, where there is one."""
        return next((head for head in self.heads.values() if isinstance(head, MomentumMaskedWords)), None)

    @property
    def contrast_head(self) -> MomentumContrast:
        """The head that has the queues."""
        return next(head for head in self.heads.values() if isinstance(head, MomentumContrast))

    def add_momentum(self) -> None:
        """Add the momentum copy, unless it is there. It starts from the model, or from a checkpoint that has one."""
        if self.momentum is None:
            self.momentum = MomentumTowers(self, self.masked_words)
            self.momentum.train(self.training)
            self.take_training_state()

    def keep_training_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Keep what a checkpoint holds of the momentum copy and the queues, for when a training sets them up.

        One log line says which of the two it lacks.

        Args:
            tensors: By their names in this model.
        """
        if not any(name.startswith("momentum.") for name in tensors):
            logger.warning("the checkpoint has no whole momentum copy: it starts from the weights")
        elif not any(name.startswith("heads.") for name in tensors):
            logger.warning("the checkpoint has no queues that are whole: they start empty")
        self._training_state = dict(tensors)

    @torch.no_grad()
    def take_training_state(self) -> None:
        """Fill what is set up from what `keep_training_state` has. One log line says what does not fit."""
        own = self.state_dict()
        found = {name: self._training_state.pop(name) for name in [*self._training_state] if name in own}
        if other := [name for name, tensor in found.items() if tensor.shape != own[name].shape]:
            # Half of a copy, or one of two queues, would be worth nothing.
            starts = tuple({name.rpartition(".")[0] if name.startswith("heads.") else "momentum." for name in other})
            found = {name: tensor for name, tensor in found.items() if not name.startswith(starts)}
            logger.warning("%s: another size in the checkpoint (%s), so it starts anew", ", ".join(starts), other[0])
        for name, tensor in found.items():
            own[name].copy_(tensor)

    def _checked_widths(self) -> tuple[int, int]:
        """Return the widths of pictures' and captions' tokens."""
        image, text = (int(getattr(tower, "width", 0)) for tower in (self.image_encoder, self.text_encoder))
        for place, tower, width in (("image", self.image_encoder, image), ("text", self.text_encoder, text)):
            if not width:
                raise ConfigError(
                    f"model.{place}_encoder: {type(tower).__name__} does not say its width, which RaSa needs; take"
                    f" {'TokenVisionTransformer' if place == 'image' else 'TokenBert'}"
                )
        fusion: Any = self.fusion_encoder
        if (fusion.image_width, fusion.width) != (image, text):
            raise ConfigError(
                f"model.fusion_encoder takes pictures' tokens of width {fusion.image_width} and captions' of"
                f" {fusion.width}, and the towers give {image} and {text}; set image_width={image} and width={text}"
            )
        return image, text

    def _check_objectives(self) -> None:
        """Raise ConfigError where one head needs another that is not there, or has other sizes than the towers."""
        kinds = [type(head) for head in self.heads.values()]
        if ReplacedTokenDetection in kinds and MomentumMaskedWords not in kinds:
            raise ConfigError(
                "ReplacedTokenDetection lets the head MomentumMaskedWords write words, which the model lacks; add it"
                " (model.heads.mlm), or leave both out"
            )
        fused = self.fusion_encoder.width
        for key, head in self.heads.items():
            own = (MomentumMaskedWords, PositiveRelationDetection, ReplacedTokenDetection)
            if isinstance(head, own) and head.width != fused:
                raise ConfigError(
                    f"model.heads.{key} takes fused tokens of width {head.width}, and the model's have {fused}; set"
                    f" model.heads.{key}.width={fused}"
                )
        if kinds.count(MomentumContrast) > 1:
            raise ConfigError("the model has two heads of the type MomentumContrast, and queues for one; leave one out")


class _SentencesAlone(RaSa):
    """The model without its image tower, its cross-encoder and all that belongs to training."""

    def __init__(self, text_encoder: Any, tokenizer: Any, neck: Any, embedding_size: int = 256, **others: Any) -> None:
        DualEncoder.__init__(self, **without_images(text_encoder, tokenizer, neck))
        self.text_projection = nn.Linear(text_encoder.width, embedding_size)
