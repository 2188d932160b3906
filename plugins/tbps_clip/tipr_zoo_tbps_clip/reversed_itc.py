"""TBPS-CLIP's R-ITC: the Kullback-Leibler divergence from the similarities to the identities."""

from __future__ import annotations

from torch import Tensor, nn

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.checked_number import checked_number
from tipr_zoo.losses.cosine_similarity import cosine_similarity
from tipr_zoo.losses.sdm import matching_distribution, row_divergences
from tipr_zoo.registries import HEADS
from tipr_zoo_tbps_clip.learned_scale import USUAL_SCALE, similarity_scale

EPSILON = 1e-2
"""What is added to the distribution of identities before its logarithm, as in the published code."""


@HEADS.register_module()
class ReversedITC(nn.Module):
    """R-ITC (arXiv 2308.10045): SDM with a larger epsilon and a learned scale, and the mean of both ways.

    Args:
        scale: What cosines are multiplied by, where the model has no learned scale.

    Raises:
        ConfigError: `scale` is no number above 0.
    """

    needs_patch_tokens = False

    def __init__(self, scale: float = USUAL_SCALE) -> None:
        super().__init__()
        self.scale = checked_number("scale of ReversedITC", scale, is_scale=True)

    def forward(self, features: Features, batch: Batch, retriever: DualEncoder) -> Tensor:
        """Compute the loss of a batch, a scalar.

        Args:
            features: The features of the batch; both embeddings are read.
            batch: Needs ``pids``.
            retriever: Has the scale, where it learns one.
        """
        scale = similarity_scale(retriever, self.scale)
        logits = scale * cosine_similarity(features.image_embedding, features.text_embedding)
        same = matching_distribution(batch["pids"])
        ways = [row_divergences(way, same, EPSILON).mean() for way in (logits, logits.t())]
        return (ways[0] + ways[1]) / 2
