"""Batch normalisation of both embeddings, the "BNNeck" of person re-identification."""

from __future__ import annotations

from torch import Tensor, nn

from tipr_zoo.errors import DataError
from tipr_zoo.registries import BACKBONES


@BACKBONES.register_module()
class BNNeck(nn.Module):
    """Centres and scales the embeddings of each modality over the batch (Luo et al., 2019, arXiv 1903.07071).

    Towers that start from nothing give all pictures nearly the same embedding (cosines of 0.99), where neither matching
    nor classification has a gradient to speak of; centred ones differ from the first step on. Pretrained towers need
    none, and IRRA, SEN and FMFA have none. In evaluation it is an affine map, with the mean and variance of training.

    Args:
        embedding_size: Size D of the embeddings.
    """

    def __init__(self, embedding_size: int) -> None:
        super().__init__()
        self.image = nn.BatchNorm1d(embedding_size, affine=False)
        self.text = nn.BatchNorm1d(embedding_size, affine=False)

    def forward(self, image_embedding: Tensor, text_embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Both (B, D) embeddings, normalised over the batch.

        Raises:
            DataError: A batch of one pair while training: there is nothing to centre it by.
        """
        if self.training and len(image_embedding) < 2:
            raise DataError("BNNeck cannot train on a batch of one pair; set training.batch_size to 2 or more")
        return self.image(image_embedding), self.text(text_embedding)
