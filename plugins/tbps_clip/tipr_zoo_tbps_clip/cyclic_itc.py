"""TBPS-CLIP's C-ITC: similarities within a modality and across are to be consistent (CyCLIP, arXiv 2205.14459)."""

from __future__ import annotations

from torch import Tensor, nn

from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.cosine_similarity import cosine_similarity
from tipr_zoo.registries import LOSSES


@LOSSES.register_module()
class CyclicITC(nn.Module):
    """C-ITC (arXiv 2308.10045): mean squared differences of cosines; a quarter of each of two.

    Pictures are to be as similar to each other as their captions are, and a picture to another's caption as its own
    caption is to the other picture.
    """

    needs_patch_tokens = False

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Compute the loss of a batch, a scalar."""
        image, text = features.image_embedding, features.text_embedding
        within = cosine_similarity(image, image) - cosine_similarity(text, text)
        across = cosine_similarity(image, text)
        return (within.square().mean() + (across - across.t()).square().mean()) / 4
