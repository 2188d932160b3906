"""What a set of tensors is, told by its names: whose model, and which part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from torch import Tensor

from tipr_zoo.weights.official_names import TOWERS, has_other_towers
from tipr_zoo.weights.other_kinds import adapter_in_words, other_kind_in_words, timm_tower_in_words


class WeightsKind(Enum):
    """Kinds of weights that people have."""

    ZOO = "zoo"
    """A model of the zoo, under its own names."""
    CLIP = "clip"
    """A whole CLIP under the names of OpenAI, which open_clip has, too."""
    HUGGING_FACE_CLIP = "hugging_face_clip"
    """A whole CLIP under the names of transformers' ``CLIPModel``."""
    OFFICIAL = "official"
    """A checkpoint of a method's official code. Whose it is, the readers of `tipr_zoo.registries.CHECKPOINTS` know."""
    TIMM = "timm"
    """An image tower alone, under timm's names."""
    OTHER = "other"
    """Something else."""


@dataclass(frozen=True)
class Recognised:
    """What a set of tensors is.

    Attributes:
        kind: The kind.
        words: The same in words, with what its names and shapes tell besides.
        is_known: Whether the words say what it is.
    """

    kind: WeightsKind
    words: str
    is_known: bool = True


def is_clip_format(tensors: Mapping[str, object]) -> bool:
    """Tell whether these entries are named as OpenAI names CLIP's, whose towers any model may start from."""
    return "visual.conv1.weight" in tensors or "visual.proj" in tensors


def is_hugging_face_clip(tensors: Mapping[str, object]) -> bool:
    """Tell whether these entries are named as those of transformers' ``CLIPModel``."""
    return (
        "vision_model.embeddings.patch_embedding.weight" in tensors
        and "text_model.embeddings.token_embedding.weight" in tensors
        and "visual_projection.weight" in tensors
    )


def is_official_format(tensors: Mapping[str, object]) -> bool:
    """Tell whether the towers are named as in the checkpoints of official code, perhaps behind ``module.``."""
    names = [name.removeprefix("module.") for name in tensors]
    return any(name.startswith(TOWERS) for name in names) or has_other_towers(names)


def is_fusion_format(tensors: Mapping[str, object]) -> bool:
    """Tell whether these entries are named as those of ALBEF and what is built on it: a ViT, and a BERT behind it."""
    return any(name.startswith("visual_encoder.") for name in tensors) and any(
        name.startswith("text_encoder.bert.encoder.layer.") and ".crossattention." in name for name in tensors
    )


def recognise(tensors: Mapping[str, Tensor], is_script: bool = False) -> Recognised:
    """Say what a set of tensors is.

    Args:
        tensors: By name, without wrappers; see `tipr_zoo.weights.unwrapping`.
        is_script: Whether they were in a TorchScript archive.
    """
    adapter = adapter_in_words(tensors)
    if adapter is None and is_fusion_format(tensors):
        return Recognised(WeightsKind.OFFICIAL, "a checkpoint of ALBEF's kind, of a method's official code")
    if adapter is None and any(name.startswith(("image_encoder.", "text_encoder.")) for name in tensors):
        heads = sorted({name.split(".")[1] for name in tensors if name.startswith("heads.")})
        return Recognised(WeightsKind.ZOO, f"a model of tipr-zoo ({_heads(heads)})")
    if adapter is not None:
        return Recognised(WeightsKind.OTHER, adapter)
    if is_official_format(tensors):
        return Recognised(WeightsKind.OFFICIAL, "a checkpoint of a method's official code")
    if is_clip_format(tensors) and not _has_other_text_tower(tensors):
        whose = "OpenAI's CLIP" if is_script else "a CLIP, as OpenAI and open_clip name its tensors"
        if "token_embedding.weight" not in tensors:
            whose = "the image tower alone of a CLIP, as OpenAI and open_clip name its tensors"
        return Recognised(WeightsKind.CLIP, f"{whose} ({_clip_image_tower(tensors)})")
    if is_hugging_face_clip(tensors):
        side = _side(tensors["vision_model.embeddings.patch_embedding.weight"])
        return Recognised(WeightsKind.HUGGING_FACE_CLIP, f"a CLIPModel of transformers (ViT, patches of {side} pixels)")
    if (tower := timm_tower_in_words(tensors)) is not None:
        return Recognised(WeightsKind.TIMM, f"an image tower alone, {tower} as timm names its tensors")
    if (other := other_kind_in_words(tensors)) is not None:
        return Recognised(WeightsKind.OTHER, other)
    return Recognised(WeightsKind.OTHER, "something that tipr-zoo does not know", is_known=False)


def _has_other_text_tower(tensors: Mapping[str, object]) -> bool:
    return any(name.startswith("text.transformer.") for name in tensors)


def _heads(heads: list[str]) -> str:
    return f"heads: {', '.join(heads)}" if heads else "without heads"


def _clip_image_tower(tensors: Mapping[str, Tensor]) -> str:
    if any(name.startswith(("visual.layer1.", "visual.attnpool.")) for name in tensors):
        return "ResNet"
    if "visual.conv1.weight" not in tensors:
        return "ViT"
    return f"ViT, patches of {_side(tensors['visual.conv1.weight'])} pixels"


def _side(patches: Tensor) -> int:
    """Return the side of the patches that a convolution takes; 0 where it is none."""
    return patches.shape[-1] if patches.ndim == 4 else 0
