"""What training does to a caption before it becomes token ids: nothing, unless the recipe names something."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tipr_zoo.protocols import CaptionAugmentation as CaptionAugmentation
from tipr_zoo.registries import CAPTION_AUGMENTATIONS


@CAPTION_AUGMENTATIONS.register_module()
class WholeCaptions:
    """The augmentation that leaves every caption as it is.

    Args:
        captions: The captions of the training split.
    """

    def __init__(self, captions: Sequence[str]) -> None:
        self.captions = captions

    def __call__(self, index: int, generator: torch.Generator) -> str:
        """Return caption number `index`; nothing is drawn."""
        return self.captions[index]
