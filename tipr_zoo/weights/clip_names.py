"""The names of OpenAI's CLIP weights, and those of the same tensors in a `DualEncoder`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from tipr_zoo.weights.official_names import (
    text_transformer_names,
    to_official,
    to_zoo,
    vision_transformer_names,
    zoo_names,
)

# IRRA, SEN and FMFA hold CLIP under this prefix, so their names serve for its transformers.
_PREFIX = "base_model."

_TRUNK = "image_encoder.trunk."
_IMAGE_BLOCK = r"image_encoder\.trunk\.blocks\.(\d+)\..+"
_IMAGE_STAGE = r"image_encoder\.trunk\.stages\.(\d+)\.(\d+)\..+"
_TEXT_BLOCK = r"text_encoder\.trunk\.text_model\.encoder\.layers\.(\d+)\..+"
_BLOCK = r"visual\.layer(?P<layer>[1-4])\.(?P<block>\d+)\."
_STAGE = _TRUNK + r"stages.{stage}.\g<block>."

_RESNET_RULES = [
    (r"visual\.conv([123])\.weight", _TRUNK + r"stem.conv\1.conv.weight"),
    (r"visual\.bn([123])\.(\w+)", _TRUNK + r"stem.conv\1.bn.\2"),
    (_BLOCK + r"conv(?P<index>[123])\.weight", _STAGE + r"conv{convolution}.conv.weight"),
    (_BLOCK + r"bn(?P<index>[123])\.(?P<leaf>\w+)", _STAGE + r"conv{convolution}.bn.\g<leaf>"),
    (_BLOCK + r"downsample\.0\.weight", _STAGE + r"shortcut.conv.conv.weight"),
    (_BLOCK + r"downsample\.1\.(?P<leaf>\w+)", _STAGE + r"shortcut.conv.bn.\g<leaf>"),
    (r"visual\.attnpool\.positional_embedding", _TRUNK + "head.pos_embed"),
    (r"visual\.attnpool\.([qkv])_proj\.(\w+)", _TRUNK + r"head.\1.\2"),
    (r"visual\.attnpool\.c_proj\.(\w+)", _TRUNK + r"head.proj.\1"),
]
_CONVOLUTIONS = {"1": "1_1x1", "2": "2_kxk", "3": "3_1x1"}


def is_modified_resnet(clip_names: Iterable[str]) -> bool:
    """Tell whether the image tower of these weights is a ModifiedResNet and no vision transformer."""
    return any(name.startswith(("visual.layer1.", "visual.attnpool.")) for name in clip_names)


def clip_zoo_names(clip_name: str, resnet: bool) -> list[str]:
    """Return where a tensor of CLIP goes: one name, three for the text tower's joint projections, none if unknown.

    Args:
        clip_name: Its name in OpenAI's weights.
        resnet: Whether the image tower is a ModifiedResNet, whose ``conv1`` has the name of a vision transformer's.
    """
    if not resnet or not clip_name.startswith("visual."):
        return zoo_names(_PREFIX + clip_name)
    for pattern, replacement in _RESNET_RULES:
        if match := re.fullmatch(pattern, clip_name):
            found = match.groupdict()
            stage, convolution = int(found.get("layer", 1)) - 1, _CONVOLUTIONS[found.get("index", "1")]
            return [match.expand(replacement.replace("{stage}", str(stage)).replace("{convolution}", convolution))]
    return []


def modified_resnet_names(depths: Sequence[int]) -> list[str]:
    """List every floating-point tensor of a ModifiedResNet by name, for the numbers of blocks of its four stages."""
    norm = ("weight", "bias", "running_mean", "running_var")
    pair = [f"{{place}}conv{index}.weight" for index in "123"] + [
        f"{{place}}bn{i}.{leaf}" for i in "123" for leaf in norm
    ]
    shortcut = ["downsample.0.weight", *(f"downsample.1.{leaf}" for leaf in norm)]
    names = [name.format(place="") for name in pair]
    for stage, depth in enumerate(depths, 1):
        names += [f"layer{stage}.0.{name}" for name in shortcut]
        names += [name.format(place=f"layer{stage}.{block}.") for block in range(depth) for name in pair]
    names += ["attnpool.positional_embedding"]
    names += [f"attnpool.{part}_proj.{leaf}" for part in "qkvc" for leaf in ("weight", "bias")]
    return [f"visual.{name}" for name in names]


def names_from_clip(zoo: Iterable[str], resnet: bool) -> set[str]:
    """Return the names of those tensors that a CLIP of the same depths brings; the towers may have others besides.

    Args:
        zoo: Names of the tensors of a `DualEncoder` with CLIP's towers, or with towers that are more than these.
        resnet: Whether the image tower is a ModifiedResNet.
    """
    own = list(zoo)
    if resnet:
        blocks = [tuple(map(int, match.groups())) for name in own if (match := re.fullmatch(_IMAGE_STAGE, name))]
        depths = [1 + max((block for of, block in blocks if of == stage), default=-1) for stage in range(4)]
        image = modified_resnet_names(depths)
    else:
        image = [name.removeprefix(_PREFIX) for name in vision_transformer_names(_depth(own, _IMAGE_BLOCK))]
    text = [name.removeprefix(_PREFIX) for name in text_transformer_names(_depth(own, _TEXT_BLOCK))]
    return {name for clip_name in (*image, *text) for name in clip_zoo_names(clip_name, resnet)}


def _depth(names: Iterable[str], pattern: str) -> int:
    """Return the number of blocks whose numbers a pattern finds in names."""
    return 1 + max((int(match[1]) for name in names if (match := re.fullmatch(pattern, name))), default=-1)


def clip_to_zoo(clip: Mapping[str, Tensor], resnet: bool) -> dict[str, Tensor]:
    """Rename and reshape the tensors of a CLIP, each of which must have a place in a `DualEncoder`."""
    squares = {name: tensor for name, tensor in clip.items() if resnet and name.startswith("visual.")}
    state, _ = to_zoo({_PREFIX + name: tensor for name, tensor in clip.items() if name not in squares})
    return state | {clip_zoo_names(name, resnet)[0]: tensor for name, tensor in squares.items()}


def clip_shape(clip_name: str, zoo: Mapping[str, Tensor], resnet: bool) -> tuple[int, ...]:
    """Return the shape that a tensor of CLIP must have for the model with these tensors.

    Args:
        clip_name: Its name in OpenAI's weights; it must have a place among `zoo`.
        zoo: Tensors under the names of a `DualEncoder`.
        resnet: Whether the image tower is a ModifiedResNet.
    """
    if resnet and clip_name.startswith("visual."):
        return tuple(zoo[clip_zoo_names(clip_name, resnet)[0]].shape)
    return tuple(to_official(_PREFIX + clip_name, zoo).shape)
