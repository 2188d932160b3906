"""Weights that are no model of a person in pictures and words, told by the names of their tensors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_ADAPTERS = {
    "a LoRA adapter, which is to be merged into its model first": (
        r"(?:.*[._])?lora_(?:A|B|down|up|embedding_A|embedding_B)(?:\..*)?",
    ),
}

_TIMM = {
    "a vision transformer": (r"cls_token", r"patch_embed\.(?:proj|backbone)\..+", r"blocks\.0\.attn\..+"),
    "a vision transformer without a class token": (r"patch_embed\.(?:proj|backbone)\..+", r"blocks\.0\.attn\..+"),
    "a Swin transformer": (r"patch_embed\.proj\.weight", r"layers\.0\.blocks\.0\.attn\.qkv\.weight"),
    "a ConvNeXt": (r"stem\.0\.weight", r"stages\.0\.blocks\.0\.conv_dw\.weight"),
    "a ResNet": (r"layer1\.0\.conv1\.weight", r"layer4\.0\.conv1\.weight"),
    "a ResNet of CLIP's kind": (r"stem\.conv1\.conv\.weight", r"stages\.0\.0\.conv1_1x1\.conv\.weight"),
    "an EfficientNet or a MobileNet": (r"conv_stem\.weight", r"blocks\.0\.0\..+"),
    "a RegNet": (r"stem\.conv\.weight", r"s1\.b1\..+"),
    "a MaxViT or a CoAtNet": (r"stem\.conv1\.weight", r"stages\.0\.blocks\.0\..+"),
    "a mixer of patches": (r"stem\.proj\.weight", r"blocks\.0\.mlp_\w+\..+"),
    "a LeViT": (r"stem\.conv1\..+", r"stages\.0\.blocks\.0\.attn\..+"),
}

_OTHERS = {
    "a SigLIP of transformers": (r"vision_model\.head\.probe", r"text_model\.head\.weight"),
    "a BLIP of transformers": (
        r"(?:vision_model|visual_encoder)\..+",
        r"text_(?:model|encoder|decoder)\.(?:bert\.)?embeddings\.word_embeddings\.weight",
    ),
    "a CLIP of open_clip with an image tower of timm": (r"visual\.trunk\..+", r"(?:text\.)?token_embedding\.weight"),
    "a CLIP of open_clip with a text tower of transformers": (
        r"visual\..+",
        r"text\.transformer\.(?:embeddings|encoder|wte|shared)\..+",
    ),
    "the image tower of a CLIPModel of transformers alone": (
        r"(?:vision_model\.)?embeddings\.class_embedding",
        r"(?:vision_model\.)?embeddings\.patch_embedding\.weight",
    ),
    "the text tower of a CLIPModel of transformers alone": (r"(?:text_model\.)?embeddings\.token_embedding\.weight",),
    "an image tower of transformers alone": (
        r"(?:\w+\.)?embeddings\.patch_embeddings\..+|(?:\w+\.)?embedder\.embedder\.convolution\.weight",
    ),
    "a BERT of transformers, or one of its kind": (r"(?:\w+\.)?embeddings\.word_embeddings\.weight",),
    "a language model of transformers": (r"(?:\w+\.)?(?:wte|embed_tokens|shared)\.weight",),
    "a diffusion model": (r"(?:model\.)?diffusion_model\..+|first_stage_model\..+",),
    "the U-Net of a diffusion model": (r"down_blocks\..+", r"up_blocks\..+"),
    "the autoencoder of a diffusion model": (r"encoder\.conv_in\.weight", r"decoder\.conv_in\.weight"),
    "the transformer of a diffusion model": (
        r"(?:single_)?transformer_blocks\.0\..+",
        r"(?:time_text_embed|adaln_single|pos_embed|x_embedder)\..+",
    ),
    "a vision transformer of torchvision alone": (r"encoder\.layers\.encoder_layer_0\..+",),
    "a detector of the YOLO kind": (r"(?:model\.)?0\.conv\.weight", r"(?:model\.)?\d+\.(?:cv|m)\d*\..+"),
    "a model of FastReID, for pictures alone": (r"backbone\..+", r"heads\.bottleneck\..+"),
    "a TransReID, for pictures alone": (r"base\.patch_embed\..+", r"(?:classifier|bottleneck)\..+"),
}


def adapter_in_words(names: Iterable[str]) -> str | None:
    """Say what tensors are that change another model; None where they are none."""
    return _first(_ADAPTERS, list(names))


def timm_tower_in_words(names: Iterable[str]) -> str | None:
    """Say which image tower tensors are, under the names of timm; None where they are none."""
    return _first(_TIMM, list(names))


def other_kind_in_words(names: Iterable[str]) -> str | None:
    """Say what else tensors are; None where it is not known."""
    return _first(_OTHERS, list(names))


def _first(kinds: Mapping[str, tuple[str, ...]], names: list[str]) -> str | None:
    """Return the first kind each of whose patterns some name has."""
    for words, patterns in kinds.items():
        if all(any(map(re.compile(pattern).fullmatch, names)) for pattern in patterns):
            return words
    return None
