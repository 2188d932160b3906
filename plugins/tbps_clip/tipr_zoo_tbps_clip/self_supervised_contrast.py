"""TBPS-CLIP's SS-I: two views of a picture are to find each other among those of other pictures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.features import Batch, Features
from tipr_zoo.losses.checked_number import checked_number
from tipr_zoo.losses.cosine_similarity import cosine_similarity
from tipr_zoo.registries import HEADS
from tipr_zoo_tbps_clip.embedded_view import embedded_view


@HEADS.register_module()
class SelfSupervisedContrast(nn.Module):
    """SS-I (arXiv 2308.10045), after SimCLR (arXiv 2002.05709): each view is to find the other among all views.

    A recipe brings the views by ``training.views=dict(self_supervised_1=..., self_supervised_2=...)``. Captions take no
    part.

    Args:
        embedding_size: Size D of the embeddings.
        hidden_size: Size between the two layers of the projector; None for a quarter of D.
        temperature: What cosines are divided by.

    Raises:
        ConfigError: `temperature` is no number above 0.
    """

    needs_patch_tokens = False
    needs_of_batch = ("self_supervised_1", "self_supervised_2")
    trains = ("image",)

    def __init__(self, embedding_size: int, hidden_size: int | None = None, temperature: float = 0.1) -> None:
        super().__init__()
        self.embedding_size = embedding_size
        self.temperature = checked_number("temperature of SelfSupervisedContrast", temperature, is_scale=True)
        hidden = hidden_size or max(1, embedding_size // 4)
        self.mlp = nn.Sequential(nn.Linear(embedding_size, hidden), nn.ReLU(), nn.Linear(hidden, embedding_size))

    def forward(self, features: Features, batch: Batch, retriever: DualEncoder) -> Tensor:
        """Compute the loss of a batch, a scalar.

        Args:
            features: Not used.
            batch: Needs both views, each (B, 3, H, W) float, normalised.
            retriever: Embeds them.

        Raises:
            DataError: A view is missing.
        """
        first, second = (
            self.mlp(embedded_view(batch, name, retriever, type(self).__name__)) for name in self.needs_of_batch
        )
        return (self._one_way(first, second) + self._one_way(second, first)) / 2

    def _one_way(self, views: Tensor, others: Tensor) -> Tensor:
        """Compute the cross-entropy of each view's own other view, among all of both kinds but itself."""
        own = torch.arange(len(views), device=views.device)
        itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
        across = cosine_similarity(views, others)
        within = cosine_similarity(views, views).masked_fill(itself, -torch.inf)
        return F.cross_entropy(torch.cat([across, within], dim=1) / self.temperature, own)
