"""What training does to a picture: flip, shift, normalise, erase (IRRA, SEN and FMFA use the same four)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.pictures.preprocessing import ImageNormalisation
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.value_kinds import NumberFromZero, NumbersFromZero, WholeFromZero
from tipr_zoo.training.picture_augmentation import Erase, HorizontalFlip, Shift, check_ranges


@dataclass(frozen=True)
class Augmentation(Declared):
    """Random changes to one picture. Every draw comes from the generator that is passed.

    Attributes:
        flip: Probability of a horizontal flip.
        pad: Pixels of black that are added on every side. The picture is then cropped back to its old size at a random
            place.
        erase: Probability that a rectangle is filled.
        erased_area: Smallest and largest share of the picture that the rectangle covers.
        erased_aspect: Smallest and largest ratio of its height to its width.

    Raises:
        ConfigError: A probability or a share is above 1, or a range has no smallest and largest number above 0.
    """

    flip: NumberFromZero = 0.5
    pad: WholeFromZero = 10
    erase: NumberFromZero = 0.5
    erased_area: NumbersFromZero = (0.02, 0.4)
    erased_aspect: NumbersFromZero = (0.3, 3.3)

    def __post_init__(self) -> None:
        for name in ("flip", "erase"):
            if (value := getattr(self, name)) > 1:
                raise ConfigError(f"augmentation {name} is a probability, from 0 to 1, got {value!r}")
        check_ranges({"augmentation erased_area": self.erased_area}, {"augmentation erased_aspect": self.erased_aspect})

    def __call__(self, pixels: Tensor, normalisation: ImageNormalisation, generator: torch.Generator) -> Tensor:
        """Change and normalise a picture.

        Args:
            pixels: (3, H, W) uint8.
            normalisation: Mean and standard deviation that the picture is normalised by.
            generator: Where the draws come from.

        Returns:
            (3, H, W) float32.
        """
        pixels = HorizontalFlip(self.flip)(pixels, generator)
        if self.pad:
            pixels = Shift(self.pad)(pixels, generator)
        erase = Erase(self.erase, self.erased_area, self.erased_aspect, normalisation)
        return erase(normalisation.of_bytes(pixels), generator)
