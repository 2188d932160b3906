"""The strong changes that make one of the two views of TBPS-CLIP's SS-I, after SimCLR."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from tipr_zoo.registries import PICTURE_AUGMENTATIONS

JITTERED, BLURRED = 0.8, 0.5
"""Probabilities of other colours and of a blur."""

SMALLEST_RADIUS, LARGEST_RADIUS = 0.1, 2.0


@PICTURE_AUGMENTATIONS.register_module()
class SelfSupervisedView:
    """A random part of a picture, at its size, with other colours, perhaps grey, blurred or flipped.

    Args:
        image_size: Height and width in pixels of the pictures.
        smallest_share: The smallest share of the picture that the part may be; the published code's by default.
    """

    def __init__(self, image_size: tuple[int, int], smallest_share: float = 0.2) -> None:
        build = PICTURE_AUGMENTATIONS.build
        self.part = build({"type": "RandomResizedCrop", "scale": (smallest_share, 1.0)}, image_size=image_size)
        colours = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
        self.jitter = build({"type": "ColorJitter", **colours}, image_size=image_size)
        self.grey = build({"type": "RandomGrayscale", "p": 0.2}, image_size=image_size)
        self.flip = build({"type": "HorizontalFlip", "probability": 0.5})

    def __call__(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """Change (3, H, W) uint8 pixels."""
        picture = self.part(picture, generator)
        jittered, blurred, radius = torch.rand(3, generator=generator).tolist()
        if jittered < JITTERED:
            picture = self.jitter(picture, generator)
        picture = self.grey(picture, generator)
        if blurred < BLURRED:
            picture = _blurred(picture, SMALLEST_RADIUS + (LARGEST_RADIUS - SMALLEST_RADIUS) * radius)
        flipped: Tensor = self.flip(picture, generator)
        return flipped


def _blurred(picture: Tensor, radius: float) -> Tensor:
    """Blur (3, H, W) uint8 pixels as Pillow does it, which the published code uses."""
    pixels = Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())
    blurred = np.array(pixels.filter(ImageFilter.GaussianBlur(radius)))
    return torch.from_numpy(blurred).permute(2, 0, 1).contiguous()
