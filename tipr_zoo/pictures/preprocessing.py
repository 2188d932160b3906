"""Pictures to tensors, the way they are seen in evaluation and search."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from tipr_zoo.pictures.files import to_rgb


@dataclass(frozen=True)
class ImageNormalisation:
    """Mean and standard deviation of the three channels, for pictures in [0, 1]. CLIP's by default."""

    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)

    def __call__(self, pixels: Tensor) -> Tensor:
        """(..., 3, H, W) float pictures in [0, 1] -> normalised ones."""
        mean, std = self._like(pixels)
        return (pixels - mean) / std

    def of_bytes(self, pixels: Tensor) -> Tensor:
        """(..., 3, H, W) uint8 pictures -> normalised float32 ones, contiguous.

        Bit for bit what torchvision's ``ToTensor`` and ``Normalize`` compute.
        """
        images = pixels.contiguous() / 255
        mean, std = self._like(images)
        return images.sub_(mean).div_(std)

    def undo(self, images: Tensor) -> Tensor:
        """(..., 3, H, W) normalised pictures -> those that they were made from."""
        mean, std = self._like(images)
        return images * std + mean

    def _like(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, (3, 1, 1), of the type and on the device of some pictures."""
        return images.new_tensor(self.mean).view(3, 1, 1), images.new_tensor(self.std).view(3, 1, 1)


def resize_picture(picture: Image.Image, image_size: tuple[int, int]) -> Tensor:
    """A picture as (3, H, W) uint8, resized without regard to its shape, with antialiased bilinear interpolation.

    These are the pixels of torchvision's ``Resize`` on a PIL picture, which the official code uses.

    Args:
        picture: A picture in any mode; see `tipr_zoo.pictures.files.to_rgb`.
        image_size: Height and width in pixels.
    """
    height, width = image_size
    # torch's own antialiased resizing takes a third of the time, but one value in a thousand is off by one.
    resized = to_rgb(picture, "the picture").resize((width, height), Image.Resampling.BILINEAR)
    # Channel by channel, as Pillow can write it: transposing its (H, W, 3) afterwards would take longer.
    channels = bytearray().join(resized.tobytes("raw", channel) for channel in "RGB")
    return torch.frombuffer(channels, dtype=torch.uint8).view(3, height, width)


def preprocess_picture(picture: Image.Image, image_size: tuple[int, int], normalisation: ImageNormalisation) -> Tensor:
    """A picture as the image tower takes it: (3, H, W) float32, resized and normalised."""
    return normalisation.of_bytes(resize_picture(picture, image_size))
