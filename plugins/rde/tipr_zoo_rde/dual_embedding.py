"""RDE's model (arXiv 2308.09911): a dual encoder that compares two pairs of embeddings."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tipr_zoo.dual_encoder import DualEncoder, without_images
from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch, Features
from tipr_zoo.joined_embeddings import joined_embedding
from tipr_zoo.machine.linear_products import linear_products
from tipr_zoo.protocols import AttendingImageTower, AttendingTextTower, missing_names
from tipr_zoo.registries import MODELS
from tipr_zoo.sentence_ends import end_positions
from tipr_zoo_rde.token_selection import TokenSelection, chosen_patches, chosen_words

BGE, TSE = "bge", "tse"
"""The parts of the similarity: basic global embedding, and token selection embedding."""


@MODELS.register_module()
class RobustDualEmbedding(DualEncoder):
    """A dual encoder with a second pair of embeddings, of the tokens that the global ones attend to most.

    The similarity is the mean of two cosines: of the class and end tokens (``bge``), and of the selected tokens
    (``tse``). It is the cosine of what `encode_image` and `encode_text` give: both embeddings, laid end to end.

    Args:
        selected_size: Size of the embeddings of selected tokens.
        selected_share: The share of patches, and of the tokenizer's places for words, that is selected.
        **towers: Those of `DualEncoder`. The towers have ``encode_with_attention``. Losses of this plugin take a
            ``part``, ``"bge"`` or ``"tse"``.

    Raises:
        ConfigError: A tower does not tell its attention, the share or the size is none, or there is a neck.
    """

    has_separate_rows = True

    image_encoder: AttendingImageTower
    text_encoder: AttendingTextTower

    def __init__(self, selected_size: int = 1024, selected_share: float = 0.3, **towers: Any) -> None:
        super().__init__(**towers)
        for tower, protocol in ((self.image_encoder, AttendingImageTower), (self.text_encoder, AttendingTextTower)):
            if missing := missing_names(tower, protocol):
                raise ConfigError(f"{type(tower).__name__} lacks {', '.join(missing)}, which token selection needs")
        if self.neck is not None:
            raise ConfigError("RobustDualEmbedding has no place for a neck; leave model.neck out")
        if not 0 < selected_share <= 1:
            raise ConfigError(f"selected_share must be above 0 and at most 1, got {selected_share}")
        if isinstance(selected_size, bool) or not isinstance(selected_size, int) or selected_size < 1:
            raise ConfigError(f"selected_size must be a whole number above 0, got {selected_size!r}")
        self.selected_share = selected_share
        self.image_selection = TokenSelection(self.image_encoder.embedding_size, selected_size)
        self.text_selection = TokenSelection(self.image_encoder.embedding_size, selected_size)

    @classmethod
    def text_side(cls, text_encoder: Any, tokenizer: Any, neck: Any = None, **others: Any) -> DualEncoder:
        """Make what embeds sentences alone; see `DualEncoder.text_side`.

        Args:
            text_encoder: The text tower.
            tokenizer: The tokenizer.
            neck: None, since there is no place for one.
            others: The other entries of the recipe's ``model``.
        """
        return _SentencesAlone(text_encoder, tokenizer, **others)

    @property
    def parts(self) -> dict[str, slice]:
        """The columns of the embedding that each part of the similarity compares."""
        token_size = self.image_encoder.embedding_size
        return {BGE: slice(0, token_size), TSE: slice(token_size, token_size + self.image_selection.embedding_size)}

    def embed_images(self, images: Tensor) -> Tensor:
        """Embed checked pictures: (B, 3, H, W) -> (B, D + selected_size)."""
        return joined_embedding(self._image_parts(*self.image_encoder.encode_with_attention(images)))

    def embed_ids(self, ids: Tensor) -> Tensor:
        """Embed checked captions: (B, L) -> (B, D + selected_size)."""
        return joined_embedding(self._text_parts(*self.text_encoder.encode_with_attention(ids), ids=ids))

    def features(self, batch: Batch, patch_tokens: bool = True) -> Features:
        """Run both towers once over ``images`` and ``caption_ids``; patches are always needed.

        Args:
            batch: See `tipr_zoo.features.Batch`.
            patch_tokens: Has no effect.
        """
        images, ids = batch["images"], batch["caption_ids"]
        with linear_products(images.device):
            image_tokens, image_attention = self.image_encoder.encode_with_attention(images)
            text_tokens, text_attention = self.text_encoder.encode_with_attention(ids)
            image = self._image_parts(image_tokens, image_attention)
            text = self._text_parts(text_tokens, text_attention, ids)
        parts = {name: (image[i], text[i]) for i, name in enumerate((BGE, TSE))}
        return Features(image_tokens, text_tokens, *parts[BGE], parts)

    def _image_parts(self, tokens: Tensor, attention: Tensor) -> tuple[Tensor, Tensor]:
        """Return both embeddings of pictures: (B, D) and (B, selected_size)."""
        chosen = chosen_patches(attention, self.selected_share)
        return tokens[:, 0], self.image_selection(tokens[:, 1:], chosen)

    def _text_parts(self, tokens: Tensor, attention: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return both embeddings of captions: (B, D) and (B, selected_size)."""
        ends = end_positions(self.text_encoder, ids)
        chosen, counts = chosen_words(attention, ids, ends, self.selected_share, self.tokenize.context_length)
        return self.end_tokens(tokens, ids), self.text_selection(tokens, chosen, counts)


class _SentencesAlone(RobustDualEmbedding):
    """The model without its image tower and all that belongs to it."""

    def __init__(
        self, text_encoder: Any, tokenizer: Any, selected_size: int = 1024, selected_share: float = 0.3, **others: Any
    ) -> None:
        DualEncoder.__init__(self, **without_images(text_encoder, tokenizer))
        self.selected_share = selected_share
        self.text_selection = TokenSelection(text_encoder.embedding_size, selected_size)
