"""The embeddings of a second forward pass without gradient, from which soft labels are made.

The published code runs the whole network a second time. That gives what the first pass gave, unless something in it
draws anew, as dropout does. So a tower is run again only where one of its modules, or of the neck, is in training mode
and has a dropout above 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tipr_zoo.distributed import gather_computed
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.features import Batch, Features
from tipr_zoo_tbps_clip.embedded_view import embedded_view


def draws(*modules: object) -> bool:
    """Tell whether any of these modules draws random numbers in a forward pass, as they are now.

    It does where it, or a module in it, is in training mode, and is one of PyTorch's dropouts or has a probability
    above 0 under a name with "drop" in it. One that draws in another way says so by ``draws_in_training = True``.
    """
    parts = [part for module in modules if isinstance(module, nn.Module) for part in module.modules()]
    return any(part.training and (getattr(part, "draws_in_training", False) or _drops(part)) for part in parts)


@torch.no_grad()
def second_pictures(
    features: Features, batch: Batch, retriever: DualEncoder, needed_by: str, view: str = "images"
) -> Tensor:
    """Return the (B, D) embeddings of pictures in a second pass, without a gradient.

    Args:
        features: Those of the first pass; of another view, its embeddings stand in the place of the pictures'.
        batch: The batch.
        retriever: The model.
        needed_by: The objective, for messages.
        view: The batch entry of the pictures.
    """
    if not draws(retriever.image_encoder, retriever.neck):
        return features.image_embedding.detach()
    return embedded_view(batch, view, retriever, needed_by)


@torch.no_grad()
def second_captions(features: Features, batch: Batch, retriever: DualEncoder) -> Tensor:
    """Return the (B, D) embeddings of captions in a second pass, without a gradient.

    Args:
        features: Those of the first pass.
        batch: Has ``caption_ids``.
        retriever: The model.
    """
    if not draws(retriever.text_encoder, retriever.neck):
        return features.text_embedding.detach()
    ends = gather_computed(batch, "caption_ids", lambda ids: retriever.end_tokens(retriever.text_encoder(ids), ids))
    return ends if retriever.neck is None else retriever.neck.text(ends)


def _drops(module: nn.Module) -> bool:
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return bool(module.p > 0)
    own = vars(module).items()
    return any("drop" in name and isinstance(value, float) and value > 0 for name, value in own)
