"""TBPS-CLIP's changes to pictures: a few are drawn for each picture, and the same one may be drawn twice."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.protocols import PictureAugmentation
from tipr_zoo.registries import PICTURE_AUGMENTATIONS

CHANGES: tuple[dict[str, Any], ...] = (
    {"type": "ColorJitter", "brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.0},
    {"type": "RandomRotation", "degrees": 15},
    {"type": "RandomResizedCrop", "scale": (0.9, 1.0)},
    {"type": "RandomGrayscale", "p": 0.1},
    {"type": "RandomHorizontalFlip", "p": 0.5},
    {"type": "RandomErasing", "p": 0.5, "scale": (0.1, 0.2), "value": 0},
)
"""The changes of the published code, by torchvision's names."""


@PICTURE_AUGMENTATIONS.register_module()
class DrawnChanges:
    """Draws a few changes with replacement, and does one after the other.

    Args:
        image_size: Height and width in pixels of the pictures.
        count: How many are drawn.
        changes: What they are drawn from: picture augmentations of pixels. The published code's by default.

    Raises:
        ConfigError: `count` is below 1, there are no changes, or one is no augmentation of pixels.
        UnknownNameError: There is no such augmentation, or it has no such argument.
    """

    def __init__(
        self, image_size: tuple[int, int], count: int = 2, changes: Sequence[Mapping[str, Any]] = CHANGES
    ) -> None:
        if count < 1 or not changes:
            raise ConfigError(f"DrawnChanges needs a count above 0 and some changes, got {count!r} of {len(changes)}")
        self.count = count
        self.changes = [_built(change, image_size) for change in changes]
        for change in self.changes:
            if getattr(change, "takes_normalised", False):
                raise ConfigError(f"DrawnChanges changes pixels, and {type(change).__name__} normalised pictures")

    def __call__(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """Change (3, H, W) uint8 pixels."""
        for index in torch.randint(len(self.changes), (self.count,), generator=generator).tolist():
            picture = self.changes[index](picture, generator)
        return picture


def _built(change: Mapping[str, Any], image_size: tuple[int, int]) -> PictureAugmentation:
    """Build a change; it is handed the size of the pictures where its constructor names that."""
    name = change.get("type") if isinstance(change, Mapping) else None
    kind = PICTURE_AUGMENTATIONS.get(name) if isinstance(name, str) and name in PICTURE_AUGMENTATIONS else None
    is_sized = kind is not None and "image_size" in inspect.signature(kind).parameters
    built: PictureAugmentation = PICTURE_AUGMENTATIONS.build(change, **({"image_size": image_size} if is_sized else {}))
    return built
