"""Identity classification: one linear classifier shared by both modalities."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.errors import DataError
from tipr_zoo.features import Batch, Features
from tipr_zoo.protocols import TwoTowerRetriever
from tipr_zoo.registries import HEADS


@HEADS.register_module()
class IdentityClassification(nn.Module):
    """The mean of the cross-entropies of the picture's and of the caption's identity (IRRA, arXiv 2303.12501).

    Args:
        embedding_size: Size D of the embeddings.
        num_identities: Number of training identities; ``pids`` count from 0.
    """

    needs_patch_tokens = False

    def __init__(self, embedding_size: int, num_identities: int) -> None:
        super().__init__()
        self.embedding_size = embedding_size
        self.classifier = nn.Linear(embedding_size, num_identities)
        nn.init.normal_(self.classifier.weight, std=0.001)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, features: Features, batch: Batch, retriever: TwoTowerRetriever) -> Tensor:
        """Compute the loss of a batch, a scalar.

        Args:
            features: The projected features of the batch; both embeddings are read.
            batch: Needs ``pids``, (B,) int64 in [0, num_identities).
            retriever: Not used.

        Raises:
            DataError: A value of ``pids`` is out of range.
        """
        pids = batch["pids"]
        if int(pids.max()) >= self.classifier.out_features or int(pids.min()) < 0:
            raise DataError(
                f"'pids' reach from {int(pids.min())} to {int(pids.max())}, but the identity classifier has"
                f" {self.classifier.out_features} identities; set model.heads.id.num_identities to the data set's"
            )
        image = F.cross_entropy(self.classifier(features.image_embedding), pids)
        text = F.cross_entropy(self.classifier(features.text_embedding), pids)
        return (image + text) / 2

    @staticmethod
    def count_terms(batch: Batch) -> int:
        """Count the pairs that the loss is a mean over. Of a spread batch, each process takes its own rows."""
        return len(batch["pids"])
