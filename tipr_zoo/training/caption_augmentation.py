"""What training does to a caption before it becomes token ids: nothing, unless the recipe names something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from tipr_zoo.registries import CAPTION_AUGMENTATIONS


class CaptionAugmentation(Protocol):
    """Random changes to one caption.

    What is registered in `CAPTION_AUGMENTATIONS` is constructed with ``captions``, every caption of the training split,
    so that what takes time can be done once; further arguments are the recipe's.
    """

    def __call__(self, index: int, generator: torch.Generator) -> str:
        """The caption to learn from in place of number `index`; every draw comes from `generator`."""


@CAPTION_AUGMENTATIONS.register_module()
class WholeCaptions:
    """Leaves every caption as it is.

    Args:
        captions: The captions of the training split.
    """

    def __init__(self, captions: Sequence[str]) -> None:
        self.captions = captions

    def __call__(self, index: int, generator: torch.Generator) -> str:
        """Caption number `index`; nothing is drawn."""
        return self.captions[index]
