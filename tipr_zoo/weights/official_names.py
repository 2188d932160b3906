"""The names of both towers in official checkpoints, and those of the same tensors in a `DualEncoder`.

The published code of many methods is built on IRRA's, and holds CLIP's towers behind ``base_model.``. What a method
adds to the towers is known by its reader; see `tipr_zoo.protocols.CheckpointReader`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

TOWERS = "base_model."
"""The beginning of the names of both towers."""

_OTHER_TOWERS = {"encode_text.": TOWERS, "visual.": TOWERS + "visual."}
"""Where TBPS-CLIP's code, which is not built on IRRA's, has the text tower and the image tower."""

_IMAGE = "image_encoder.trunk."
_TEXT = "text_encoder.trunk."

_RULES = [
    (r"base_model\.visual\.class_embedding", _IMAGE + "cls_token"),
    (r"base_model\.visual\.positional_embedding", _IMAGE + "pos_embed"),
    (r"base_model\.visual\.conv1\.weight", _IMAGE + "patch_embed.proj.weight"),
    (r"base_model\.visual\.ln_pre\.(\w+)", _IMAGE + r"norm_pre.\1"),
    (r"base_model\.visual\.ln_post\.(\w+)", _IMAGE + r"norm.\1"),
    (r"base_model\.visual\.proj", _IMAGE + "head.weight"),
    (r"base_model\.visual\.transformer\.resblocks\.(\d+)\.attn\.in_proj_(\w+)", _IMAGE + r"blocks.\1.attn.qkv.\2"),
    (r"base_model\.visual\.transformer\.resblocks\.(\d+)\.attn\.out_proj\.(\w+)", _IMAGE + r"blocks.\1.attn.proj.\2"),
    (r"base_model\.visual\.transformer\.resblocks\.(\d+)\.ln_(\d)\.(\w+)", _IMAGE + r"blocks.\1.norm\2.\3"),
    (r"base_model\.visual\.transformer\.resblocks\.(\d+)\.mlp\.c_fc\.(\w+)", _IMAGE + r"blocks.\1.mlp.fc1.\2"),
    (r"base_model\.visual\.transformer\.resblocks\.(\d+)\.mlp\.c_proj\.(\w+)", _IMAGE + r"blocks.\1.mlp.fc2.\2"),
    (r"base_model\.token_embedding\.weight", _TEXT + "text_model.embeddings.token_embedding.weight"),
    (r"base_model\.positional_embedding", _TEXT + "text_model.embeddings.position_embedding.weight"),
    (r"base_model\.ln_final\.(\w+)", _TEXT + r"text_model.final_layer_norm.\1"),
    (r"base_model\.text_projection", _TEXT + "text_projection.weight"),
    (
        r"base_model\.transformer\.resblocks\.(\d+)\.attn\.in_proj_(\w+)",
        _TEXT + r"text_model.encoder.layers.\1.self_attn.{q,k,v}_proj.\2",
    ),
    (
        r"base_model\.transformer\.resblocks\.(\d+)\.attn\.out_proj\.(\w+)",
        _TEXT + r"text_model.encoder.layers.\1.self_attn.out_proj.\2",
    ),
    (
        r"base_model\.transformer\.resblocks\.(\d+)\.ln_(\d)\.(\w+)",
        _TEXT + r"text_model.encoder.layers.\1.layer_norm\2.\3",
    ),
    (
        r"base_model\.transformer\.resblocks\.(\d+)\.mlp\.c_fc\.(\w+)",
        _TEXT + r"text_model.encoder.layers.\1.mlp.fc1.\2",
    ),
    (
        r"base_model\.transformer\.resblocks\.(\d+)\.mlp\.c_proj\.(\w+)",
        _TEXT + r"text_model.encoder.layers.\1.mlp.fc2.\2",
    ),
]

_BLOCK = [
    *("attn.in_proj_weight", "attn.in_proj_bias", "attn.out_proj.weight", "attn.out_proj.bias"),
    *("ln_1.weight", "ln_1.bias", "mlp.c_fc.weight", "mlp.c_fc.bias"),
    *("mlp.c_proj.weight", "mlp.c_proj.bias", "ln_2.weight", "ln_2.bias"),
]

_SPLIT = "{q,k,v}"
_TRANSPOSED = ("base_model.visual.proj", "base_model.text_projection")


def has_other_towers(names: Iterable[str]) -> bool:
    """Tell whether the towers stand where TBPS-CLIP's code has them, and not behind ``base_model.``."""
    names = list(names)
    return any(name.startswith("encode_text.") for name in names) and not any(name.startswith(TOWERS) for name in names)


def usual_names(names: Iterable[str]) -> dict[str, str]:
    """Return, for each official name, that with both towers behind ``base_model.``; most names are so already."""
    names = list(names)
    others = _OTHER_TOWERS if has_other_towers(names) else {}
    return {
        name: next((usual + name.removeprefix(own) for own, usual in others.items() if name.startswith(own)), name)
        for name in names
    }


def as_written(text: str) -> str:
    """Return a message about a checkpoint with other towers, in which their names are those in the file."""
    for own, usual in reversed(_OTHER_TOWERS.items()):
        text = text.replace(usual, own)
    return text


Rules = Sequence[tuple[str, str]]
"""Patterns of whole official names, and what each is replaced by. The first that fits counts."""


def zoo_names(official_name: str, rules: Rules = ()) -> list[str]:
    """Return where a parameter goes: one name, three for the text tower's joint projections, none if it is unknown.

    Args:
        official_name: The official name.
        rules: Those of a method's reader, for what is no tower's.
    """
    for pattern, replacement in _RULES if official_name.startswith(TOWERS) else rules:
        if match := re.fullmatch(pattern, official_name):
            name = match.expand(replacement)
            return [name.replace(_SPLIT, part) for part in "qkv"] if _SPLIT in name else [name]
    return []


def vision_transformer_names(depth: int) -> list[str]:
    """List every official name of an image tower of `depth` blocks."""
    names = ["class_embedding", "positional_embedding", "conv1.weight", "proj"]
    names += [f"{norm}.{leaf}" for norm in ("ln_pre", "ln_post") for leaf in ("weight", "bias")]
    return [f"base_model.visual.{name}" for name in names + _block_names(depth)]


def text_transformer_names(depth: int) -> list[str]:
    """List every official name of a text tower of `depth` blocks."""
    names = ["token_embedding.weight", "positional_embedding", "ln_final.weight", "ln_final.bias", "text_projection"]
    return [f"base_model.{name}" for name in names + _block_names(depth)]


def _block_names(depth: int) -> list[str]:
    return [f"transformer.resblocks.{index}.{name}" for index in range(depth) for name in _BLOCK]


def to_zoo(official: Mapping[str, Tensor], rules: Rules = ()) -> tuple[dict[str, Tensor], list[str]]:
    """Rename and reshape official tensors.

    Args:
        official: Tensors under official names.
        rules: Those of a method's reader, for what is no tower's.

    Returns:
        The tensors under the names of a `DualEncoder`, and the official names that have no place in it.
    """
    state: dict[str, Tensor] = {}
    left_over: list[str] = []
    for official_name, tensor in official.items():
        names = zoo_names(official_name, rules)
        if not names:
            left_over.append(official_name)
        elif len(names) == 3:
            state.update(zip(names, tensor.chunk(3), strict=True))
        elif official_name in _TRANSPOSED:
            state[names[0]] = tensor.t().contiguous()
        elif official_name == "base_model.visual.class_embedding":
            state[names[0]] = tensor.reshape(1, 1, -1)
        elif official_name == "base_model.visual.positional_embedding":
            state[names[0]] = tensor.unsqueeze(0)
        else:
            state[names[0]] = tensor
    return state, left_over


def to_official(official_name: str, zoo: Mapping[str, Tensor], rules: Rules = ()) -> Tensor:
    """Return the tensor of an official parameter, put together from those of a `DualEncoder`.

    Args:
        official_name: The official name.
        zoo: Tensors under the names of a `DualEncoder`: its parameters, or their gradients.
        rules: Those of a method's reader, for what is no tower's.
    """
    tensors = [zoo[name] for name in zoo_names(official_name, rules)]
    if len(tensors) == 3:
        return torch.cat(tensors)
    if official_name in _TRANSPOSED:
        return tensors[0].t()
    if official_name == "base_model.visual.class_embedding":
        return tensors[0].reshape(-1)
    return tensors[0].squeeze(0) if official_name == "base_model.visual.positional_embedding" else tensors[0]
