"""The sizes of an official checkpoint, read off its tensors and written as entries of a recipe."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from tipr_zoo.backbones.modified_resnet import SQUARE
from tipr_zoo.checkpoint_readers import depth_of, shape_of
from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.weights.clip_names import is_modified_resnet, modified_resnet_names
from tipr_zoo.weights.official_names import text_transformer_names, vision_transformer_names

CLIP_TOWERS = {
    14: "vit_large_patch14_clip_quickgelu_224",
    16: "vit_base_patch16_clip_quickgelu_224",
    32: "vit_base_patch32_clip_quickgelu_224",
}
"""timm's name of a CLIP tower by patch size; width and depth are given besides."""

CLIP_VOCABULARY_SIZE = 49408

_HEAD_WIDTH = 64  # of one attention head, in the towers and in the heads that train them
_IMAGE, _TEXT = "base_model.visual.", "base_model."

Entry = dict[str, Any]


def tower_entries(
    official: Mapping[str, Tensor], image_size: Sequence[int], stride: int | None, place: str
) -> dict[str, Entry]:
    """Return what ``image_encoder``, ``text_encoder`` and ``tokenizer`` of a recipe are to say for these tensors.

    Args:
        official: Tensors under official names.
        image_size: Height and width of the pictures in pixels.
        stride: Pixels between two patches; None for patches that touch.
        place: What to call the checkpoint in messages.

    Raises:
        ConfigError: `image_size` or `stride` make no sense.
        WeightsError: Tensors of a tower are missing or of shapes that fit no CLIP, or the positions are those of
            another grid of patches.
    """
    tower_names(official, place)
    tower = _modified_resnet if has_modified_resnet(official) else _vision_transformer
    image = tower(official, image_size, stride, place)
    text, context_length = _text_encoder(official, place)
    if image["embedding_size"] != text["embedding_size"]:
        raise WeightsError(
            f"{place} projects pictures to {image['embedding_size']} numbers and captions to {text['embedding_size']};"
            " it is no dual encoder"
        )
    if image["embedding_size"] % _HEAD_WIDTH:
        raise WeightsError(f"{place}: its embedding size {image['embedding_size']} is no multiple of {_HEAD_WIDTH}")
    return {"image_encoder": image, "text_encoder": text, "tokenizer": {"context_length": context_length}}


def tower_names(official: Mapping[str, Tensor], place: str) -> list[str]:
    """Return the official name of every parameter of both towers.

    Raises:
        WeightsError: One of them is missing.
    """
    if has_modified_resnet(official):
        image = [_TEXT + name for name in modified_resnet_names(_resnet_depths(official))]
    else:
        image = vision_transformer_names(depth_of(official, _IMAGE + "transformer."))
    towers = {"image": image, "text": text_transformer_names(depth_of(official, _TEXT + "transformer."))}
    for tower, names in towers.items():
        if missing := [name for name in names if name not in official]:
            raise WeightsError(f"{place} is incomplete: its {tower} tower lacks {listed(missing)}")
    return [*towers["image"], *towers["text"]]


def has_modified_resnet(official: Mapping[str, Tensor]) -> bool:
    """Tell whether the image tower is a ModifiedResNet and no vision transformer."""
    return is_modified_resnet(name.removeprefix(_TEXT) for name in official)


def listed(names: Sequence[str]) -> str:
    """List the first few names, and say how many more there are."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _vision_transformer(
    official: Mapping[str, Tensor], image_size: Sequence[int], stride: int | None, place: str
) -> Entry:
    """Return the image tower's entry."""
    width, _, _, patch_size = _shape(official, _IMAGE + "conv1.weight", 4, place)
    _, embedding_size = _shape(official, _IMAGE + "proj", 2, place)
    positions, _ = _shape(official, _IMAGE + "positional_embedding", 2, place)
    if patch_size not in CLIP_TOWERS:
        known = ", ".join(map(str, CLIP_TOWERS))
        raise WeightsError(f"{place} has patches of {patch_size} pixels; CLIP's towers have {known}")
    image_size = checked_image_size(image_size)
    if stride is None:
        stride = patch_size
    if isinstance(stride, bool) or not isinstance(stride, int) or stride < 1:
        raise ConfigError(f"stride must be a whole number of pixels above 0, or None, got {stride!r}")
    _check_grid(positions - 1, image_size, patch_size, stride, place)
    return {
        "type": "VisionTransformerEncoder",
        "model_name": CLIP_TOWERS[patch_size],
        "embedding_size": embedding_size,
        "image_size": image_size,
        "stride": stride,
        "width": width,
        "depth": depth_of(official, _IMAGE + "transformer."),
        "num_heads": _num_heads(width, "image tower", place),
    }


def _modified_resnet(
    official: Mapping[str, Tensor], image_size: Sequence[int], stride: int | None, place: str
) -> Entry:
    """Return the image tower's entry. Its squares are always 32 pixels apart, so `stride` says nothing."""
    width = _shape(official, _IMAGE + "conv3.weight", 4, place)[0]
    embedding_size, _ = _shape(official, _IMAGE + "attnpool.c_proj.weight", 2, place)
    positions, _ = _shape(official, _IMAGE + "attnpool.positional_embedding", 2, place)
    image_size = checked_image_size(image_size)
    _check_grid(positions - 1, image_size, SQUARE, SQUARE, place)
    return {
        "type": "ModifiedResNetEncoder",
        "model_name": "resnet50_clip",
        "embedding_size": embedding_size,
        "image_size": image_size,
        "width": width,
        "depths": _resnet_depths(official),
    }


def _resnet_depths(official: Mapping[str, Tensor]) -> list[int]:
    """Count the blocks of the four stages; each counts at least one, so that what is missing can be named."""
    pattern = re.compile(re.escape(_IMAGE) + r"layer([1-4])\.(\d+)\.")
    blocks = [(match[1], min(int(match[2]), len(official))) for name in official if (match := pattern.match(name))]
    return [1 + max((block for found, block in blocks if found == stage), default=0) for stage in "1234"]


def _text_encoder(official: Mapping[str, Tensor], place: str) -> tuple[Entry, int]:
    """Return the text tower's entry, and the number of tokens of a caption."""
    vocabulary_size, width = _shape(official, _TEXT + "token_embedding.weight", 2, place)
    context_length, _ = _shape(official, _TEXT + "positional_embedding", 2, place)
    _, embedding_size = _shape(official, _TEXT + "text_projection", 2, place)
    if vocabulary_size < CLIP_VOCABULARY_SIZE:
        raise WeightsError(
            f"{place} knows {vocabulary_size} token ids, CLIP's tokenizer has {CLIP_VOCABULARY_SIZE};"
            " it was trained with another tokenizer"
        )
    entry = {
        "embedding_size": embedding_size,
        "vocabulary_size": vocabulary_size,
        "context_length": context_length,
        "width": width,
        "depth": depth_of(official, _TEXT + "transformer."),
        "num_heads": _num_heads(width, "text tower", place),
    }
    return entry, context_length


def _shape(official: Mapping[str, Tensor], name: str, dimensions: int, place: str) -> tuple[int, ...]:
    """Return the shape of a tensor that must have so many dimensions."""
    try:
        return shape_of(official, name, dimensions)
    except WeightsError as error:
        raise WeightsError(f"{place}: {error}") from None


def _num_heads(width: int, tower: str, place: str) -> int:
    if width % _HEAD_WIDTH:
        raise WeightsError(f"{place}: the width {width} of its {tower} is no multiple of {_HEAD_WIDTH}, as CLIP's are")
    return width // _HEAD_WIDTH


def checked_image_size(image_size: Sequence[int]) -> tuple[int, int]:
    """Return the height and width in pixels.

    Raises:
        ConfigError: They are none.
    """
    sides = tuple(image_size) if isinstance(image_size, Sequence) else (image_size,)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise ConfigError(f"image_size must be the height and width in pixels, e.g. (384, 128), got {image_size!r}")
    return sides[0], sides[1]


def _check_grid(num_patches: int, image_size: tuple[int, int], patch_size: int, stride: int, place: str) -> None:
    """Check that the positions are those of the grid that the pictures give; they are never resized here.

    A finished checkpoint has learned its positions. A mismatch means that its training saw other pictures. Its tensors
    tell the number of patches alone, so 24 x 8 cannot be told from 16 x 12.
    """
    rows, columns = _grid(image_size, patch_size, stride)
    if rows * columns == num_patches:
        return
    sizes = [f"image_size={size}" for size in _fitting_image_sizes(num_patches, patch_size, stride)]
    strides = [f"stride={found}" for found in _fitting_strides(num_patches, image_size, patch_size)]
    fix = f"; {' or '.join(strides + sizes)} would fit" if strides or sizes else ""
    raise WeightsError(
        f"{place} has positions for {num_patches} patches, but image_size={image_size} and stride={stride} give"
        f" {rows} x {columns} = {rows * columns} patches of {patch_size} pixels{fix}"
    )


def _grid(image_size: tuple[int, int], patch_size: int, stride: int) -> tuple[int, int]:
    """Return rows and columns of patches; none where the picture is smaller than one."""
    rows, columns = (max(0, (side - patch_size) // stride + 1) for side in image_size)
    return rows, columns


def _fitting_strides(num_patches: int, image_size: tuple[int, int], patch_size: int) -> list[int]:
    """Return strides that give `num_patches`: the patch size if it does, else at most two, the nearest to it first."""
    fitting = [
        stride
        for stride in range(1, 2 * patch_size)
        if math.prod(_grid(image_size, patch_size, stride)) == num_patches
        and (stride != patch_size or not any(side % patch_size for side in image_size))
    ]
    if patch_size in fitting:
        return [patch_size]
    return sorted(fitting, key=lambda stride: abs(stride - patch_size))[:2]


def _fitting_image_sizes(num_patches: int, patch_size: int, stride: int) -> list[tuple[int, int]]:
    """Return at most two upright picture sizes that give `num_patches`, the nearest to three to one first."""
    grids = [(num_patches // columns, columns) for columns in range(1, num_patches + 1) if num_patches % columns == 0]
    sizes = [((rows - 1) * stride + patch_size, (columns - 1) * stride + patch_size) for rows, columns in grids]
    upright = [(height, width) for height, width in sizes if width <= height <= 4 * width]
    return sorted(upright, key=lambda size: abs(math.log(size[0] / size[1] / 3)))[:2]
