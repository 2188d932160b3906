"""TBPS-CLIP's model: a dual encoder that learns what its cosines are multiplied by."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import MODELS

USUAL_SCALE = 1 / 0.07
"""What CLIP starts from."""

LARGEST_SCALE = 100.0


@MODELS.register_module()
class LearnedScaleDualEncoder(DualEncoder):
    """A dual encoder with a learned logit scale, which its objectives share. Its evaluation resizes bicubically.

    Args:
        scale: What the scale starts from; CLIP's by default.
        **towers: Those of `DualEncoder`.

    Raises:
        ConfigError: `scale` is not above 0 and at most 100.
    """

    interpolation = "bicubic"

    def __init__(self, scale: float = USUAL_SCALE, **towers: Any) -> None:
        super().__init__(**towers)
        if not 0 < scale <= LARGEST_SCALE:
            raise ConfigError(f"scale must be above 0 and at most {LARGEST_SCALE:g}, got {scale!r}")
        self.logit_scale = nn.Parameter(torch.tensor(math.log(scale)))

    text_side = DualEncoder.text_side

    @property
    def similarity_scale(self) -> Tensor:
        """What cosines are multiplied by: at most 100. Its gradient is that without the limit."""
        scale = self.logit_scale.exp()
        return scale + (scale.clamp(max=LARGEST_SCALE) - scale).detach()


def similarity_scale(retriever: object, otherwise: float) -> Tensor | float:
    """Return what a retriever's cosines are multiplied by, where it learns that; `otherwise` where it does not."""
    learned: Tensor | None = getattr(retriever, "similarity_scale", None)
    return otherwise if learned is None else learned
