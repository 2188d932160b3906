"""The preprocessing of pictures for evaluation and search: from a picture to a tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from tipr_zoo.errors import DataError
from tipr_zoo.pictures.files import to_rgb

INTERPOLATIONS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
"""The ways to resize a picture, by name."""


@dataclass(frozen=True)
class ImageNormalisation:
    """The normalisation of pictures with values in [0, 1].

    Attributes:
        mean: The mean of each of the three channels. CLIP's by default.
        std: The standard deviation of each of the three channels. CLIP's by default.
    """

    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalise (..., 3, H, W) float pictures with values in [0, 1]."""
        mean, std = self._like(pixels)
        return (pixels - mean) / std

    def of_bytes(self, pixels: Tensor) -> Tensor:
        """Normalise (..., 3, H, W) uint8 pictures; the result is float32 and contiguous.

        The result is bit for bit that of torchvision's ``ToTensor`` and ``Normalize``.
        """
        images = pixels.contiguous() / 255
        mean, std = self._like(images)
        return images.sub_(mean).div_(std)

    def undo(self, images: Tensor) -> Tensor:
        """Turn (..., 3, H, W) normalised pictures back into pictures with values in [0, 1]."""
        mean, std = self._like(images)
        return images * std + mean

    def _like(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the standard deviation, each (3, 1, 1), with the dtype and on the device of `images`."""
        return images.new_tensor(self.mean).view(3, 1, 1), images.new_tensor(self.std).view(3, 1, 1)


@dataclass(frozen=True)
class OwnPreprocessing(ImageNormalisation):
    """What stands for the normalisation of a model that says none: its ``preprocess``, of pixels of its size.

    Attributes:
        mean: What an erased part is filled with; 0 here.
        std: 1 here.
        preprocess: Turns a picture into (3, H, W) float32.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    preprocess: Callable[[Image.Image], Tensor] | None = None

    def of_bytes(self, pixels: Tensor) -> Tensor:
        """Preprocess (3, H, W) uint8 pixels; the result is float32, and whoever gets it may change it."""
        assert self.preprocess is not None
        return self.preprocess(Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())).clone()


def resize_picture(picture: Image.Image, image_size: tuple[int, int], interpolation: str = "bilinear") -> Tensor:
    """Resize a picture to (3, H, W) uint8.

    The aspect ratio is not kept. The interpolation is antialiased. The pixels are those of torchvision's ``Resize`` on
    a PIL picture, which the official code uses.

    Args:
        picture: A picture in any mode; see `tipr_zoo.pictures.files.to_rgb`.
        image_size: Height and width in pixels.
        interpolation: One of `INTERPOLATIONS`.

    Raises:
        DataError: The pixels are of a type without a stated range (32-bit), or it is no picture of PIL's.
    """
    if not isinstance(picture, Image.Image):
        raise DataError(
            f"preprocess takes a picture of PIL's, not a {type(picture).__name__}; PIL.Image.open(path) opens one, and"
            " PIL.Image.fromarray(array) makes one of (H, W, 3) uint8 values"
        )
    if not all(picture.size):
        raise DataError(f"the picture has no pixels: it is {picture.width} x {picture.height}")
    height, width = image_size
    # torch's own antialiased resizing takes a third of the time. But one value in a thousand is off by one.
    resized = to_rgb(picture, "the picture").resize((width, height), INTERPOLATIONS[interpolation])
    # Pillow can write channel by channel. To transpose its (H, W, 3) afterwards would take longer.
    channels = bytearray().join(resized.tobytes("raw", channel) for channel in "RGB")
    return torch.frombuffer(channels, dtype=torch.uint8).view(3, height, width)


def preprocess_picture(
    picture: Image.Image,
    image_size: tuple[int, int],
    normalisation: ImageNormalisation,
    interpolation: str = "bilinear",
) -> Tensor:
    """Resize and normalise a picture for the image tower.

    Args:
        picture: A picture in any mode; see `tipr_zoo.pictures.files.to_rgb`.
        image_size: Height and width in pixels.
        normalisation: Mean and standard deviation of the channels.
        interpolation: One of `INTERPOLATIONS`.

    Returns:
        (3, H, W) float32.

    Raises:
        DataError: The pixels are of a type without a stated range (32-bit), or it is no picture of PIL's.
    """
    return normalisation.of_bytes(resize_picture(picture, image_size, interpolation))
