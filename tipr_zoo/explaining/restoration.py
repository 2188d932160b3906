"""Restoring the hidden patches of a picture from a caption, with a model that was trained for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.explaining.patch_grid import patch_grid
from tipr_zoo.grey import grey
from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.models.component_check import check_needs
from tipr_zoo.protocols import RestoringHead

HIDDEN_COLOUR = (214, 222, 240)
"""The colour of a hidden patch. It is not grey, so that nobody takes it for a part of the picture."""


@dataclass(frozen=True, eq=False)
class Restoration:
    """One picture restored with the help of one caption.

    Attributes:
        caption: The caption.
        picture: The hidden patches as they were restored. The others are grey, as the model saw them.
        error: Mean squared error of the hidden patches, in normalised colours.
    """

    caption: str
    picture: Image.Image
    error: float


@dataclass(frozen=True, eq=False)
class RestoredPicture:
    """A picture and its restorations.

    Attributes:
        original: The picture at the model's size.
        seen: The picture as the model sees it: some patches in grey. The hidden ones are `HIDDEN_COLOUR`.
        hidden_share: Share of the patches that are hidden.
        restorations: One for each caption. All have the same hidden patches.
    """

    original: Image.Image
    seen: Image.Image
    hidden_share: float
    restorations: Sequence[Restoration]


@torch.inference_mode()
def restore(
    model: DualEncoder | BuiltModel, picture: Image.Image, captions: Sequence[str], seed: int = 0
) -> RestoredPicture:
    """Hide patches of a picture, and restore them with each caption in turn.

    Args:
        model: A retriever in eval mode. One of its heads must have ``restore_pictures``, like SEN's
            TextGuidedRestoration. This takes (B, 3, H, W) normalised pictures, (B, L) token ids, the retriever and
            (B, 1 + N) noise. It returns the restored pictures, (B, 3, H, W) and normalised, and which of the N patches
            were hidden, (B, N) bool.
        picture: A picture of any size and mode.
        captions: At least one sentence.
        seed: Decides which patches are hidden. They are the same for every caption.

    Raises:
        ConfigError: No head of the model restores pictures, a tower lacks what the head needs, there is no caption, a
            caption is empty, or `seed` is no whole number from 0 to 2^63 - 1.
    """
    head = _restoring_head(model)
    _check(captions, seed)
    device = next(model.parameters()).device
    grid, count = patch_grid(model.image_encoder), len(captions)
    image = model.preprocess(picture)
    noise = torch.rand(1, 1 + math.prod(grid.grid_size), generator=torch.Generator().manual_seed(seed))
    restored, hidden = head.restore_pictures(
        image.to(device).expand(count, -1, -1, -1),
        model.tokenize(captions).to(device),
        model,
        noise.to(device).expand(count, -1),
    )
    restored, hidden = restored.cpu(), hidden[0].float().cpu()
    is_hidden = grid.pixel_map(hidden.view(grid.grid_size)) > 0.5
    original, *colours = model.normalisation.undo(torch.stack([image, *restored])).clamp(0, 1)
    without_colour = grey(original)
    errors = [F.mse_loss(pixels[:, is_hidden], image[:, is_hidden]).item() for pixels in restored]
    return RestoredPicture(
        original=_to_picture(original),
        seen=_to_picture(torch.where(is_hidden, torch.tensor(HIDDEN_COLOUR).view(3, 1, 1) / 255, without_colour)),
        hidden_share=hidden.mean().item(),
        restorations=[
            Restoration(caption, _to_picture(torch.where(is_hidden, colour, without_colour)), error)
            for caption, colour, error in zip(captions, colours, errors, strict=True)
        ],
    )


def _restoring_head(retriever: DualEncoder | BuiltModel) -> RestoringHead:
    """Return the head that restores pictures."""
    heads = getattr(retriever, "heads", None)
    for key, head in heads.items() if isinstance(heads, nn.ModuleDict) else ():
        if isinstance(head, RestoringHead):
            check_needs(head, f"model.heads.{key}", retriever.image_encoder, retriever.text_encoder)
            return head
    raise ConfigError(
        "the model has no head that restores pictures, or its weights have none; SEN's have, see `tipr-zoo list 'sen*'`"
    )


def _check(captions: Sequence[str], seed: int) -> None:
    """Raise where there is no caption, an empty one, or no valid seed."""
    if isinstance(captions, str) or not all(isinstance(caption, str) for caption in captions):
        raise ConfigError(f"captions must be a list of sentences, got {captions!r}")
    if not captions or not all(caption.strip() for caption in captions):
        raise ConfigError("the caption is empty; describe the person, e.g. 'a man in a red jacket'")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ConfigError(f"the seed must be a whole number from 0 to 2^63 - 1, got {seed!r}")


def _to_picture(pixels: Tensor) -> Image.Image:
    """Turn (3, H, W) pixels in [0, 1] into a picture."""
    return Image.fromarray((pixels * 255).round().byte().permute(1, 2, 0).contiguous().numpy())
