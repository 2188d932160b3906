"""The embeddings of further views of a batch's pictures, and what an objective says where a view is missing."""

from __future__ import annotations

from torch import Tensor

from tipr_zoo.distributed import gather_computed
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import DataError
from tipr_zoo.features import Batch


def embedded_view(batch: Batch, name: str, retriever: DualEncoder, needed_by: str) -> Tensor:
    """Embed a view of each picture. Of a batch that is spread over processes, each embeds its own rows.

    Args:
        batch: Has the view under `name`: (B, 3, H, W) float, normalised.
        name: The batch entry.
        retriever: What embeds.
        needed_by: The objective, for messages.

    Returns:
        (B, D), as ``features.image_embedding`` is.

    Raises:
        DataError: The batch has no such entry, or it holds no pictures of the model's size.
    """
    if name not in batch:
        raise DataError(
            f"{needed_by} needs the batch entry {name!r}, a further view of each picture, and the batch has"
            f" {', '.join(batch)}; training.views=dict({name}=...) brings it"
        )

    def embed(images: Tensor) -> Tensor:
        if tuple(images.shape[1:]) != (3, *retriever.image_size):
            raise DataError(
                f"{needed_by}: the batch's {name!r} must be pictures of shape (B, 3, H, W) of the model's size,"
                f" {retriever.image_size}, got {tuple(images.shape)}"
            )
        return retriever.encode_image(images) if retriever.neck is None else retriever.image_encoder(images)[:, 0]

    embedding = gather_computed(batch, name, embed)
    # A neck may normalise over the batch, so it gets all of it.
    return embedding if retriever.neck is None else retriever.neck.image(embedding)
