"""What training does to a picture, one change a class: the published methods' own, and torchvision's by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import v2

from tipr_zoo.errors import ConfigError
from tipr_zoo.pictures.preprocessing import ImageNormalisation
from tipr_zoo.registries import PICTURE_AUGMENTATIONS

TORCHVISION = (
    "AugMix",
    "AutoAugment",
    "CenterCrop",
    "ColorJitter",
    "ElasticTransform",
    "GaussianBlur",
    "RandAugment",
    "RandomAdjustSharpness",
    "RandomAffine",
    "RandomAutocontrast",
    "RandomChannelPermutation",
    "RandomCrop",
    "RandomEqualize",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomInvert",
    "RandomPerspective",
    "RandomPhotometricDistort",
    "RandomPosterize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSolarize",
    "TrivialAugmentWide",
)
"""The transforms v2 of torchvision that a recipe may name. They take pixels and give pixels of the same size."""


@PICTURE_AUGMENTATIONS.register_module()
class HorizontalFlip:
    """Flips a picture from left to right.

    Args:
        probability: Of the flip.

    Raises:
        ConfigError: `probability` is not from 0 to 1.
    """

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = _checked_probability("HorizontalFlip", probability)

    def __call__(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """Flip (3, H, W) pixels, or not."""
        return picture.flip(-1) if _uniform(generator) < self.probability else picture


@PICTURE_AUGMENTATIONS.register_module()
class Shift:
    """Adds black on every side, then crops back to the old size at a random place.

    Args:
        pixels: How many are added on a side.

    Raises:
        ConfigError: `pixels` is below 0.
    """

    def __init__(self, pixels: int = 10) -> None:
        if pixels < 0:
            raise ConfigError(f"pixels of Shift must be a whole number from 0, got {pixels!r}")
        self.pixels = pixels

    def __call__(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """Shift (3, H, W) pixels."""
        height, width = picture.shape[-2:]
        padded = F.pad(picture, (self.pixels,) * 4)
        top, left = (int(torch.randint(2 * self.pixels + 1, (), generator=generator)) for _ in range(2))
        return padded[:, top : top + height, left : left + width]


def check_ranges(shares: Mapping[str, Sequence[float]], ratios: Mapping[str, Sequence[float]]) -> None:
    """Check ranges, each by its name in a sentence.

    Args:
        shares: Of a whole, which are at most 1.
        ratios: Of any size.

    Raises:
        ConfigError: One has no smallest and largest number above 0, or is of shares above 1.
    """
    for name, value in {**shares, **ratios}.items():
        largest = 1.0 if name in shares else math.inf
        if len(value) != 2 or not 0 < value[0] <= value[1] <= largest:
            at_most = ", at most 1" if name in shares else ""
            raise ConfigError(f"{name} must be a smallest and a largest number above 0{at_most}, got {value!r}")


@PICTURE_AUGMENTATIONS.register_module()
class Erase:
    """Fills one rectangle of a normalised picture. The official code fills it with the *raw* mean; that is kept here.

    Args:
        probability: Of the rectangle.
        area: Smallest and largest share of the picture that the rectangle covers.
        aspect: Smallest and largest ratio of its height to its width.
        normalisation: Has the mean.

    Raises:
        ConfigError: `probability` is not from 0 to 1, or a range makes no sense.
    """

    takes_normalised = True

    def __init__(
        self,
        probability: float = 0.5,
        area: Sequence[float] = (0.02, 0.4),
        aspect: Sequence[float] = (0.3, 3.3),
        normalisation: ImageNormalisation | None = None,
    ) -> None:
        self.probability = _checked_probability("Erase", probability)
        check_ranges({"area of Erase": area}, {"aspect of Erase": aspect})
        self.area, self.aspect = area, aspect
        self.mean = (normalisation or ImageNormalisation()).mean

    def __call__(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """Fill a rectangle of a (3, H, W) float picture in place, or none."""
        if _uniform(generator) >= self.probability:
            return picture
        height, width = picture.shape[-2:]
        low, high = (math.log(ratio) for ratio in self.aspect)
        for _ in range(10):
            area = height * width * _uniform(generator, *self.area)
            aspect = math.exp(_uniform(generator, low, high))
            rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if rows < height and columns < width:
                top = int(torch.randint(height - rows + 1, (), generator=generator))
                left = int(torch.randint(width - columns + 1, (), generator=generator))
                picture[:, top : top + rows, left : left + columns] = torch.tensor(self.mean).view(3, 1, 1)
                return picture
        return picture


class _OfTorchvision:
    """A transform of torchvision's, whose draws come from the generator that it is handed.

    Args:
        image_size: Height and width in pixels; the ``size`` of a transform that needs one, where the recipe gives none.
        arguments: The transform's own.
    """

    transform: type[v2.Transform]

    def __init__(self, image_size: tuple[int, int], **arguments: Any) -> None:
        if "size" in inspect.signature(self.transform).parameters:
            arguments.setdefault("size", image_size)
        self.change = self.transform(**arguments)

    def __call__(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """Change (3, H, W) uint8 pixels."""
        # torchvision draws from PyTorch's own generator. That is put back afterwards, as if nothing had been drawn.
        own, before = torch.default_generator, torch.default_generator.get_state()
        own.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        try:
            changed: Tensor = self.change(picture)
            return changed
        finally:
            own.set_state(before)


def _register(name: str) -> None:
    transform = getattr(v2, name)
    own = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in inspect.signature(transform).parameters.values()
    ]
    if sized := [each for each in own if each.name == "size"]:
        own[own.index(sized[0])] = sized[0].replace(default=None)  # that of the model's pictures
    size = inspect.Parameter("image_size", inspect.Parameter.KEYWORD_ONLY)
    about = {
        "__doc__": f"torchvision's ``transforms.v2.{name}``.",
        "__module__": __name__,
        "__signature__": inspect.Signature([*own, size]),  # so that a wrong argument is told with the right ones
        "transform": transform,
    }
    PICTURE_AUGMENTATIONS.register_module(name, module=type(name, (_OfTorchvision,), about))


for _name in TORCHVISION:
    if hasattr(v2, _name):  # older versions lack the newest of them
        _register(_name)


def _uniform(generator: torch.Generator, low: float = 0.0, high: float = 1.0) -> float:
    """Draw one number from [low, high)."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def _checked_probability(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ConfigError(f"probability of {name} must be from 0 to 1, got {value!r}")
    return value
