"""The picture augmentation of a recipe: the usual four changes by number, or registered ones by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.models.component_check import checked
from tipr_zoo.models.kept_promises import preprocessed, told_failures
from tipr_zoo.models.recipe_values import build_component
from tipr_zoo.pictures.preprocessing import ImageNormalisation, OwnPreprocessing
from tipr_zoo.protocols import PictureAugmentation, Retriever
from tipr_zoo.registries import PICTURE_AUGMENTATIONS
from tipr_zoo.training.pairs.augmentation import Augmentation
from tipr_zoo.training.settings import settings

PictureChange = Callable[[Tensor, ImageNormalisation, torch.Generator], Tensor]
"""Changes and normalises (3, H, W) uint8 pixels: -> (3, H, W) float32. Every draw comes from the generator."""


@dataclass(frozen=True)
class AugmentationSteps:
    """Registered augmentations, one after another. Those of pixels come first, then those of normalised pictures.

    Attributes:
        steps: Each with the place where the recipe names it.
    """

    steps: Sequence[tuple[str, PictureAugmentation]]

    def __call__(self, pixels: Tensor, normalisation: ImageNormalisation, generator: torch.Generator) -> Tensor:
        """Change and normalise (3, H, W) uint8 pixels: -> (3, H, W) float32.

        Raises:
            ConfigError: An augmentation raises, or gives something of another shape or type.
        """
        picture, is_normalised = pixels, False
        for place, step in self.steps:
            if _takes_normalised(step) and not is_normalised:
                picture, is_normalised = normalisation.of_bytes(picture), True
            picture = _changed(place, step, picture, generator)
        return picture if is_normalised else normalisation.of_bytes(picture)


def build_augmentation(
    entry: Any, place: str, image_size: tuple[int, int], normalisation: ImageNormalisation
) -> PictureChange:
    """Build the picture augmentation of a recipe.

    Args:
        entry: A dict without ``type``, which fills an `Augmentation`; a dict with one, or a list of such dicts.
        place: Its dotted name, e.g. ``"training.augmentation"``.
        image_size: Height and width in pixels of the pictures.
        normalisation: By which the model normalises them.

    Raises:
        ConfigError: It is none of these, a value makes no sense, or one of pixels comes after one of normalised
            pictures.
        UnknownNameError: There is no such augmentation, or it has no such argument.
    """
    if entry is None or (isinstance(entry, Mapping) and "type" not in entry):
        name = place.removeprefix("training.")
        return settings(Augmentation, {name: entry or {}}, name)
    if not isinstance(entry, (Mapping, list, tuple)):
        raise ConfigError(f"{place} must be a dict, or a list of dicts with a 'type', got {entry!r}")
    entries = [(place, entry)] if isinstance(entry, Mapping) else [(f"{place}[{i}]", e) for i, e in enumerate(entry)]
    steps = [(at, _built(each, at, image_size, normalisation)) for at, each in entries]
    for (before, earlier), (at, step) in pairwise(steps):
        if _takes_normalised(earlier) and not _takes_normalised(step):
            raise ConfigError(
                f"{at}: {type(step).__name__} changes pixels, and {type(earlier).__name__} before it normalised"
                f" pictures; put it before {before}"
            )
    return AugmentationSteps(steps)


def normalisation_of(model: Retriever) -> ImageNormalisation:
    """Return how a model normalises pictures; its ``preprocess`` where it does not say."""
    own: ImageNormalisation | None = getattr(model, "normalisation", None)
    return own or OwnPreprocessing(preprocess=partial(preprocessed, model))


def _built(
    entry: Any, place: str, image_size: tuple[int, int], normalisation: ImageNormalisation
) -> PictureAugmentation:
    offered = {"image_size": image_size, "normalisation": normalisation}
    component = build_component(PICTURE_AUGMENTATIONS, entry, place, offered)
    step: PictureAugmentation = checked(component, PictureAugmentation, place)
    return step


def _changed(place: str, step: PictureAugmentation, picture: Tensor, generator: torch.Generator) -> Tensor:
    """Let an augmentation change a picture, and check what it gives."""
    name = type(step).__name__
    with told_failures(f"{place}: {name}"):
        changed = step(picture, generator)
    if not isinstance(changed, Tensor) or _kind(changed) != _kind(picture):
        found = type(changed).__name__
        if isinstance(changed, Tensor):
            others = [
                str(each) for each in (changed.layout, changed.device) if each not in (torch.strided, picture.device)
            ]
            found = " ".join([f"{changed.dtype} {(*changed.shape,)}", *others])
        raise ConfigError(
            f"{place}: {name} must give a picture as it gets it, {picture.dtype} {(*picture.shape,)}, and gives {found}"
        )
    return changed


def _kind(picture: Tensor) -> tuple[object, ...]:
    return picture.shape, picture.dtype, picture.layout, picture.device


def _takes_normalised(step: PictureAugmentation) -> bool:
    return getattr(step, "takes_normalised", False) is True
