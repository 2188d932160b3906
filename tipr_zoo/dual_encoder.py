"""The dual encoder: an image tower and a text tower that meet in one embedding space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import torch
from PIL import Image
from torch import Tensor, nn

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import DataError
from tipr_zoo.features import Batch, Features
from tipr_zoo.machine.linear_products import linear_products
from tipr_zoo.pictures.image_batch import checked_images
from tipr_zoo.pictures.preprocessing import ImageNormalisation, preprocess_picture
from tipr_zoo.protocols import ImageTower, Neck, TextTower, Tokenizer
from tipr_zoo.registries import MODELS
from tipr_zoo.sentence_ends import pooled_positions
from tipr_zoo.tokenizers.token_ids import checked_ids

_ON_REQUEST = ("pair_indices", "picture_indices", "second_caption_ids")

_WHOLE_NUMBERS = ("caption_ids", "pids", "mlm_ids", "mlm_labels", *_ON_REQUEST)

BATCH_KEYS = ("images", "caption_ids", "pids", "mlm_ids", "mlm_labels", "mask_noise", "label_hat", *_ON_REQUEST)


@MODELS.register_module()
class DualEncoder(nn.Module):
    """Two towers, the losses and heads that train them, and what turns pictures and captions into tensors.

    Args:
        image_encoder: A module that maps (B, 3, H, W) pictures to (B, 1 + N, D) tokens; has ``image_size``. Where it
            has ``encode_class``, that maps the pictures to the (B, D) class tokens.
        text_encoder: A module that maps (B, L) token ids to (B, L, D) tokens. Where it has ``encode_end``, that maps
            them to the (B, D) tokens that `end_tokens` picks.
        tokenizer: Maps captions to token ids.
        losses: Objectives without parameters by key: ``(features, batch) -> scalar``. An objective says by
            ``needs_patch_tokens = False`` that it needs no patches. Where none of the losses and heads needs them, none
            are computed.
        heads: Objectives with parameters by key: ``(features, batch, retriever) -> scalar``.
        loss_weights: Factor of each objective by key; 1 where it is left out.
        normalisation: Mean and standard deviation of the pictures; CLIP's by default.
        neck: A module that maps both (B, D) embeddings to those that are compared, by its modules ``image`` and
            ``text``; None to compare what the towers give.
    """

    interpolation = "bilinear"
    """How `preprocess` resizes pictures: ``"bilinear"`` or ``"bicubic"``. Training resizes bilinearly."""

    takes_cut_captions = True
    """Whether a caption's embedding is the same where the padding after its end token is cut off."""

    def __init__(
        self,
        image_encoder: ImageTower,
        text_encoder: TextTower,
        tokenizer: Tokenizer,
        losses: Mapping[str, nn.Module],
        heads: Mapping[str, nn.Module],
        loss_weights: Mapping[str, float],
        normalisation: ImageNormalisation,
        neck: Neck | None = None,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.text_encoder = text_encoder
        self.neck = neck
        self.losses = nn.ModuleDict(losses)
        self.heads = nn.ModuleDict(heads)
        self.loss_weights = dict(loss_weights)
        self.normalisation = normalisation
        self.tokenize = tokenizer

    @classmethod
    def text_side(cls, text_encoder: Any, tokenizer: Any, neck: Any = None, **others: Any) -> DualEncoder:
        """Make what embeds sentences alone, for searches of pictures that are embedded already.

        A class that derives from this one says it anew if its ``encode_text`` is to be had without an image tower.

        Args:
            text_encoder: As the class takes it.
            tokenizer: As the class takes it.
            neck: As the class takes it.
            others: The other entries of the recipe's ``model``.

        Returns:
            A model whose ``tokenize`` and ``encode_text`` give what the whole model's give in evaluation mode, with
            tensors named as those of the whole model.
        """
        return DualEncoder(**without_images(text_encoder, tokenizer, neck))

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels of the pictures that the image tower takes."""
        return self.image_encoder.image_size

    def forward(self, *arguments: object) -> NoReturn:
        """Say what to call: a model is no function of one thing.

        Raises:
            DataError: Always.
        """
        raise DataError("a model is not called itself; write encode_image(images), encode_text(ids) or loss(batch)")

    def encode_image(self, images: Tensor) -> Tensor:
        """Embed pictures, in the floating-point type of the model.

        Args:
            images: (B, 3, H, W) float pictures as `preprocess` makes them; B may be 0.

        Returns:
            (B, D), not normalised.

        Raises:
            DataError: They are no such pictures, or on another device than the model.
        """
        images = checked_images(images, self.image_size, _a_parameter(self.image_encoder))
        if not len(images):
            return self._of_none(self.encode_image, images)
        with linear_products(images.device):
            return self.embed_images(images)

    def encode_text(self, ids: Tensor) -> Tensor:
        """Embed captions.

        Args:
            ids: (B, L) int64 token ids as ``tokenize`` makes them; B may be 0.

        Returns:
            (B, D), not normalised.

        Raises:
            DataError: They are no such ids, or on another device than the model.
        """
        ids = checked_ids(ids, self.text_encoder, _a_parameter(self.text_encoder))
        if not len(ids):
            return self._of_none(self.encode_text, ids)
        with linear_products(ids.device):
            return self.embed_ids(ids)

    def embed_images(self, images: Tensor) -> Tensor:
        """Embed pictures that were checked, at least one: what `encode_image` gives. Other models override this."""
        embedding = self._class_tokens(images).squeeze(1)
        return embedding if self.neck is None else self.neck.image(embedding)

    def embed_ids(self, ids: Tensor) -> Tensor:
        """Embed token ids that were checked, at least one row: what `encode_text` gives."""
        if hasattr(self.text_encoder, "encode_end") and not _is_hooked(self.text_encoder):
            embedding = self.text_encoder.encode_end(ids)
        else:
            embedding = self.end_tokens(self.text_encoder(ids), ids)
        return embedding if self.neck is None else self.neck.text(embedding)

    def preprocess(self, picture: Image.Image) -> Tensor:
        """Resize and normalise a picture of any size and mode: -> (3, H, W) float32."""
        return preprocess_picture(picture, self.image_size, self.normalisation, self.interpolation)

    def features(self, batch: Batch, patch_tokens: bool = True) -> Features:
        """Run both towers once over ``images`` and ``caption_ids``.

        Args:
            batch: See `tipr_zoo.features.Batch`.
            patch_tokens: Whether ``image_tokens`` are to have those of the patches. With the class token alone there is
                less work.
        """
        image_tokens, text_tokens = self.tokens(batch, patch_tokens)
        ends = self.end_tokens(text_tokens, batch["caption_ids"])
        return Features(image_tokens, text_tokens, *self.embeddings(image_tokens[:, 0], ends))

    def tokens(self, batch: Batch, patch_tokens: bool = True) -> tuple[Tensor, Tensor]:
        """Run both towers over a batch: -> (B, 1 + N, D), or (B, 1, D) without patches, and (B, L, D)."""
        images = batch["images"]
        with linear_products(images.device):
            image_tokens = self.image_encoder(images) if patch_tokens else self._class_tokens(images)
            return image_tokens, self.text_encoder(batch["caption_ids"])

    def embeddings(self, class_tokens: Tensor, end_tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embeddings that are compared, after the neck where there is one; all are (B, D)."""
        return (class_tokens, end_tokens) if self.neck is None else self.neck(class_tokens, end_tokens)

    def end_tokens(self, text_tokens: Tensor, ids: Tensor) -> Tensor:
        """Pick the token of each caption that is its embedding: (B, L, D) and (B, L) -> (B, D).

        It is the end token, unless the text tower says otherwise; see `tipr_zoo.sentence_ends.pooled_positions`.

        Raises:
            ConfigError: What the tower says is no position in each row.
        """
        return text_tokens[torch.arange(len(ids), device=ids.device), pooled_positions(self.text_encoder, ids)]

    @property
    def objectives(self) -> dict[str, nn.Module]:
        """The losses and heads by key."""
        return {**self.losses, **self.heads}

    @property
    def needs_patch_tokens(self) -> bool:
        """Whether any objective needs the tokens of patches."""
        return any(getattr(objective, "needs_patch_tokens", True) for objective in self.objectives.values())

    def objective(self, key: str, features: Features, batch: Batch) -> Tensor:
        """Compute one objective, weighted: a scalar.

        Args:
            key: Of the loss or head.
            features: What `features` gives for the batch.
            batch: See `tipr_zoo.features.Batch`; which entries are needed depends on the objective.

        Raises:
            TiprZooError: Whatever the objective raises, e.g. DataError for a batch that lacks an entry.
        """
        with linear_products(features.image_embedding.device):
            value = self.losses[key](features, batch) if key in self.losses else self.heads[key](features, batch, self)
        return self.loss_weights.get(key, 1.0) * value

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Compute every objective of the model, weighted; their sum is what training minimises.

        Args:
            batch: See `tipr_zoo.features.Batch`; which entries are needed depends on the objectives.

        Returns:
            Scalars by key, e.g. ``{"sdm": ..., "id": ..., "irr": ...}``.

        Raises:
            DataError: The batch lacks an entry that an objective needs.
        """
        batch = NeededBatch(batch)
        features = self.features(batch, self.needs_patch_tokens)
        return {key: self.objective(key, features, batch) for key in self.objectives}

    def _class_tokens(self, images: Tensor) -> Tensor:
        """Encode pictures into their class tokens: (B, 3, H, W) -> (B, 1, D)."""
        if hasattr(self.image_encoder, "encode_class") and not _is_hooked(self.image_encoder):
            return self.image_encoder.encode_class(images).unsqueeze(1)
        return self.image_encoder(images)[:, :1]

    def _of_none(self, encode: Callable[[Tensor], Tensor], nothing: Tensor) -> Tensor:
        """Embed nothing: (0, ...) -> (0, D). Many a tower refuses it, so one row of zeros is embedded and dropped."""
        learning = [module for module in self.modules() if module.training]
        self.eval()  # so that no statistics learn from it
        try:
            with torch.no_grad():
                return encode(nothing.new_zeros(1, *nothing.shape[1:]))[:0]
        finally:
            for module in learning:
                module.training = True


class NoImageTower:
    """What stands in the place of an image tower where sentences alone are embedded."""

    image_size = (0, 0)


def without_images(text_encoder: Any, tokenizer: Any, neck: Any = None) -> dict[str, Any]:
    """Return the arguments of `DualEncoder` for a model that embeds sentences alone.

    Args:
        text_encoder: As the class takes it.
        tokenizer: As the class takes it.
        neck: As the class takes it.
    """
    towers = {"image_encoder": NoImageTower(), "text_encoder": text_encoder, "tokenizer": tokenizer, "neck": neck}
    return {**towers, "losses": {}, "heads": {}, "loss_weights": {}, "normalisation": ImageNormalisation()}


def _a_parameter(tower: object) -> Tensor | None:
    """Return a floating-point parameter of a tower, which tells its type and device; None where it has none."""
    parameters = tower.parameters() if isinstance(tower, nn.Module) else ()
    return next((parameter for parameter in parameters if parameter.is_floating_point()), None)


def _is_hooked(tower: object) -> bool:
    """Tell whether a call of a tower runs hooks, which its shorter ways would pass by."""
    return any(vars(tower).get(hooks) for hooks in ("_forward_hooks", "_forward_pre_hooks"))


class NeededBatch(dict[str, Tensor]):
    """A batch that says what is missing from it, and what in it is no batch.

    Raises:
        DataError: It is no dict of tensors with one row a pair.
    """

    def __init__(self, batch: Batch) -> None:
        if not isinstance(batch, Mapping):
            raise DataError(
                f"a batch is a dict of tensors, not a {type(batch).__name__}; it has: {', '.join(BATCH_KEYS)}"
            )
        rows = {}
        for key, value in batch.items():
            if key not in BATCH_KEYS or key == "mask_noise":  # the head that reads it knows its shape
                continue
            if not isinstance(value, Tensor) or not value.ndim:
                raise DataError(
                    f"the batch's {key!r} must be a tensor with one row a pair, not a {type(value).__name__}"
                )
            if key in _WHOLE_NUMBERS and value.dtype not in (torch.int64, torch.int32):
                raise DataError(f"the batch's {key!r} must be int64, not {value.dtype}")
            rows[key] = len(value)
        if len(set(rows.values())) > 1 or 0 in rows.values():
            told = ", ".join(f"{key} {count}" for key, count in rows.items())
            raise DataError(f"a batch has one row for each of its pairs, at least one, in every entry, not {told}")
        super().__init__(batch)

    def __missing__(self, key: str) -> Tensor:
        if key in BATCH_KEYS:
            raise DataError(f"the batch has no {key!r}, which this model's losses need; it has: {', '.join(self)}")
        raise unknown_name("batch entry", key, (*BATCH_KEYS, *self))
