"""Batch normalisation of both embeddings, the "BNNeck" of person re-identification."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.registries import BACKBONES


@BACKBONES.register_module()
class BNNeck(nn.Module):
    """Centres and scales the embeddings of each modality over the batch (Luo et al., 2019, arXiv 1903.07071).

    Towers that start from nothing give all pictures nearly the same embedding (cosines of 0.99). Then neither
    matching nor classification has a gradient to speak of. Centred embeddings differ from the first step on. Pretrained
    towers need no neck, and IRRA, SEN and FMFA have none. In evaluation it is an affine map, with the mean and variance
    of training.

    Args:
        embedding_size: Size D of the embeddings.
    """

    def __init__(self, embedding_size: int) -> None:
        super().__init__()
        self.embedding_size = embedding_size
        self.image = nn.BatchNorm1d(embedding_size, affine=False)
        self.text = nn.BatchNorm1d(embedding_size, affine=False)

    def forward(self, image_embedding: Tensor, text_embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise both (B, D) embeddings over the batch; normalise a single pair by the running mean and variance."""
        return _normalised(self.image, image_embedding), _normalised(self.text, text_embedding)


def _normalised(norm: nn.BatchNorm1d, embedding: Tensor) -> Tensor:
    """Normalise (B, D) embeddings. One row has no variance, and PyTorch refuses it."""
    if norm.training and len(embedding) < 2:
        return F.batch_norm(embedding, norm.running_mean, norm.running_var, eps=norm.eps)
    return norm(embedding)
