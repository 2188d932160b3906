"""The names of a CLIP in transformers' ``CLIPModel``, and those of the same tensors in OpenAI's weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_TOWERS = {"vision_model.": "visual.", "text_model.": ""}

_OUTSIDE = {
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding.weight": "conv1.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "pre_layrnorm": "ln_pre",  # so it is spelled there
    "pre_layernorm": "ln_pre",
    "post_layernorm": "ln_post",
    "final_layer_norm": "ln_final",
}

_IN_A_BLOCK = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}

_PROJECTIONS = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection"}
_SPLIT = re.compile(r"(.+\.)self_attn\.([qkv])_proj\.(weight|bias)")


def to_openai(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Rename and put together the tensors of a ``CLIPModel``. What has no other name keeps its own.

    Args:
        tensors: Under the names of ``CLIPModel``. Query, key and value of a block are put together where all three are
            there and of one shape.
    """
    found: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if name in _PROJECTIONS and isinstance(tensor, Tensor) and tensor.ndim == 2:
            found[_PROJECTIONS[name]] = tensor.t().contiguous()
        elif split := _SPLIT.fullmatch(name):
            parts = [tensors.get(f"{split[1]}self_attn.{part}_proj.{split[3]}") for part in "qkv"]
            if _are_alike(parts):
                found[f"{_place(split[1])}attn.in_proj_{split[3]}"] = torch.cat(parts)  # type: ignore[arg-type]
            else:
                found[name] = tensor
        else:
            found[_place(name)] = tensor
    return found


def _are_alike(parts: list[Any]) -> bool:
    return all(isinstance(part, Tensor) and part.ndim for part in parts) and len({part.shape for part in parts}) == 1


def _place(name: str) -> str:
    """Return OpenAI's name of a tensor, or of what it stands in; the same name where it has none."""
    for tower, prefix in _TOWERS.items():
        if not name.startswith(tower):
            continue
        rest = name.removeprefix(tower)
        if block := re.fullmatch(r"encoder\.layers\.(\d+)\.(.*)", rest):
            return f"{prefix}transformer.resblocks.{block[1]}.{_renamed(block[2], _IN_A_BLOCK)}"
        return prefix + _renamed(rest, _OUTSIDE) if _renamed(rest, _OUTSIDE) != rest else name
    return name


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        if name == old or name.startswith(old + "."):
            return new + name.removeprefix(old)
    return name
