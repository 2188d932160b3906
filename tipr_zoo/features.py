"""The features that one forward pass of a retriever gives. Every loss and head is computed from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from tipr_zoo.close_matches import unknown_name

Batch = Mapping[str, Tensor]
"""A training batch: ``images`` (B, 3, H, W) float, ``caption_ids`` (B, L) int64 and ``pids`` (B,) int64. Where a head
needs them, also ``mlm_ids`` and ``mlm_labels``, both (B, L) int64, and ``mask_noise`` (B, 1 + N) float. Where pairs may
be noisy, ``label_hat`` (B,) in [0, 1], 1 for a pair to learn from. Where something says so by ``needs_of_batch``, also
``pair_indices`` and ``picture_indices``, both (B,) int64, ``second_caption_ids`` (B, L) int64, and what a recipe's
views, a data set, a sampler or a hook brings.
"""

TOKEN_ENTRIES = ("caption_ids", "mlm_ids", "mlm_labels", "second_caption_ids")
"""The entries of a batch that are (B, L)."""


@dataclass(frozen=True)
class Features:
    """Projected features of a batch of B pairs of a picture and a caption.

    Attributes:
        image_tokens: (B, 1 + N, D) float, the class token first; (B, 1, D) where no objective needs patches.
        text_tokens: (B, L, D) float.
        image_embedding: (B, D) float, the class token, after the neck where there is one; not of unit length.
        text_embedding: (B, D) float, the token at the end of each caption, likewise.
        parts: Where a model's similarity is the mean of several cosines: the embeddings of pictures and of captions
            that each compares, by its name; not of unit length.
    """

    image_tokens: Tensor
    text_tokens: Tensor
    image_embedding: Tensor
    text_embedding: Tensor
    parts: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """Return the embeddings of pictures and of captions that one part of the similarity compares.

        Raises:
            UnknownNameError: The model has no such part.
        """
        if name not in self.parts:
            raise unknown_name("part of the similarity", name, self.parts)
        return self.parts[name]

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Features:
        """Return the features with every tensor changed, those of the parts, too.

        Args:
            change: What happens to each tensor, whose first dimension is that of the batch.
        """
        return Features(
            change(self.image_tokens),
            change(self.text_tokens),
            change(self.image_embedding),
            change(self.text_embedding),
            {name: (change(image), change(text)) for name, (image, text) in self.parts.items()},
        )
