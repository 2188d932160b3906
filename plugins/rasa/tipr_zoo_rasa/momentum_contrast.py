"""Contrastive learning with a momentum teacher and queues (CL)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.distributed import gather_rows
from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch, Features
from tipr_zoo.registries import HEADS
from tipr_zoo_rasa.fusion_features import Contrasted, contrasted_of, needed
from tipr_zoo_rasa.precision import in_full
from tipr_zoo_rasa.soft_label_ratio import soft_label_ratio

EMPTY = -100
"""The identity of a place in the queue that nothing has taken yet. Its random numbers count as a stranger's."""


@HEADS.register_module()
class MomentumContrast(nn.Module):
    """Compares pictures and captions with each other and with their own kind, four losses whose mean is taken.

    What a row is compared with is embedded by the momentum copy: the batch, and a queue of embeddings of the steps
    before. The target is shared evenly by all of the same person; a share of it (the soft-label ratio) is the momentum
    copy's own similarities.

    Args:
        queue_size: How many embeddings of pictures and of captions the queues hold.

    Raises:
        ConfigError: `queue_size` is no whole number above 0.
    """

    needs_patch_tokens = False
    needs_of_step = ("momentum",)

    image_queue: Tensor
    text_queue: Tensor
    idx_queue: Tensor
    queue_ptr: Tensor

    def __init__(self, queue_size: int = 65536) -> None:
        super().__init__()
        if isinstance(queue_size, bool) or not isinstance(queue_size, int) or queue_size < 1:
            raise ConfigError(f"queue_size of MomentumContrast must be a whole number above 0, got {queue_size!r}")
        self.queue_size = queue_size

    def setup(self, retriever: Any) -> None:
        """Add the momentum copy to the model, and empty queues to this."""
        retriever.add_momentum()
        if hasattr(self, "image_queue"):
            return
        device, size = retriever.temperature.device, (retriever.embedding_size, self.queue_size)
        for name in ("image_queue", "text_queue"):
            self.register_buffer(name, F.normalize(torch.randn(size, device=device), dim=0))
        self.register_buffer("idx_queue", torch.full((1, self.queue_size), EMPTY, device=device))
        self.register_buffer("queue_ptr", torch.zeros(1, dtype=torch.int64, device=device))
        retriever.take_training_state()

    @torch.no_grad()
    def contrast(self, images: Tensor, texts: Tensor, pids: Tensor, enqueue: bool) -> Contrasted:
        """Return what the rows are compared with, and take the batch into the queues.

        Args:
            images: (B, D), embeddings of this process's pictures by the momentum copy, of unit length.
            texts: (B, D), those of captions.
            pids: (B,) int64.
            enqueue: Whether the queues take the batch of all processes.

        Raises:
            ConfigError: The queue is shorter than the batch of all processes.
        """
        images, texts, pids = (gather_rows(rows) for rows in (images, texts, pids))
        count = len(pids)
        if count > self.queue_size:
            raise ConfigError(
                f"the queue holds {self.queue_size} embeddings and the batch has {count}; raise"
                " model.heads.cl.queue_size, or lower training.batch_size"
            )
        contrasted = Contrasted(
            torch.cat([images, self.image_queue.t().to(images)]),
            torch.cat([texts, self.text_queue.t().to(texts)]),
            torch.cat([pids, self.idx_queue[0]]),
        )
        if enqueue:
            # Over the end of the queue, it goes on at its beginning.
            places = (torch.arange(count, device=pids.device) + self.queue_ptr) % self.queue_size
            self.image_queue[:, places] = images.t().to(self.image_queue)
            self.text_queue[:, places] = texts.t().to(self.text_queue)
            self.idx_queue[0, places] = pids
            self.queue_ptr.add_(count).remainder_(self.queue_size)
        return contrasted

    def count_terms(self, batch: Batch) -> int:
        """Return the number of rows, over which the mean is taken."""
        return len(batch["pids"])

    def forward(self, features: Features, batch: Batch, retriever: Any) -> Tensor:
        """Compute the loss.

        Args:
            features: From `RaSa.features`.
            batch: Has ``pids``.
            retriever: Has the temperature.

        Returns:
            Scalar.
        """
        others = contrasted_of(features, self)
        teachers = needed(features, "momentum_images", self), needed(features, "momentum_texts", self)
        ratio = soft_label_ratio(batch, retriever).unsqueeze(-1)
        same = (batch["pids"].unsqueeze(1) == others.pids).to(others.images)
        same = same / same.sum(1, keepdim=True).clamp(min=1)
        total = torch.zeros((), dtype=same.dtype, device=same.device)
        with torch.autocast(same.device.type, enabled=False):
            rows = (features.image_embedding, features.text_embedding)
            for row, teacher in zip(rows, teachers, strict=True):
                row = F.normalize(in_full(row), dim=1)
                for columns in (others.images, others.texts):
                    with torch.no_grad():
                        soft = (teacher @ columns.t() / retriever.temperature).softmax(1)
                    target = ratio * soft + (1 - ratio) * same
                    total = total - (target * (row @ columns.t() / retriever.temperature).log_softmax(1)).sum(1).mean()
        return total / 4
