"""The check of what is given to ``encode_image``: pictures as a tensor, of the model's size, type and device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tipr_zoo.errors import DataError

_MADE = "model.encode_image(model.preprocess(picture).unsqueeze(0)), where picture is one of PIL's"


def checked_images(images: Any, image_size: tuple[int, int], parameter: Tensor | None) -> Tensor:
    """Return pictures in the floating-point type of the model.

    Args:
        images: What was given; right are (B, 3, H, W) float pictures, normalised.
        image_size: Height and width in pixels that the model takes.
        parameter: One of the image tower's, in whose type and on whose device the pictures have to be. None where it
            has none.

    Raises:
        DataError: It is something else, of another shape, of another kind of numbers, or on another device.
    """
    height, width = image_size
    if not isinstance(images, Tensor):
        raise DataError(
            f"encode_image takes a (B, 3, {height}, {width}) tensor of pictures, not a {type(images).__name__}; write"
            f" {_MADE}"
        )
    if images.ndim == 3 and images.shape[0] == 3:
        raise DataError(
            f"encode_image takes a batch of pictures, (B, 3, {height}, {width}), not one of shape"
            f" {tuple(images.shape)}; write model.encode_image(picture.unsqueeze(0))"
        )
    if images.ndim != 4 or tuple(images.shape[1:]) != (3, height, width):
        raise DataError(
            f"encode_image takes pictures of shape (B, 3, {height}, {width}), not {tuple(images.shape)};"
            f" model.preprocess makes them: {_MADE}"
        )
    if not images.is_floating_point():
        raise DataError(
            f"encode_image takes normalised floating-point pictures, not {images.dtype}; model.preprocess makes them:"
            f" {_MADE}"
        )
    if images.layout != torch.strided:
        raise DataError(f"encode_image takes dense pictures, not {images.layout}; write images.to_dense()")
    if parameter is None:
        return images
    if images.device != parameter.device:
        raise DataError(
            f"the pictures are on the device {images.device}, the model on {parameter.device}; write"
            f" images.to({str(parameter.device)!r})"
        )
    return images.to(parameter.dtype)
