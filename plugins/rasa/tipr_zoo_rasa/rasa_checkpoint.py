"""The checkpoints of RaSa's official code, and ALBEF's, from which it starts."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tipr_zoo.checkpoint_readers import shape_of
from tipr_zoo.errors import WeightsError
from tipr_zoo.registries import CHECKPOINTS

POSITIONS = "visual_encoder{}.pos_embed"
QUEUES = ("image_queue", "text_queue", "idx_queue", "queue_ptr")

_LAYER = re.compile(r"text_encoder\.bert\.encoder\.layer\.(\d+)\.(.+)")
_CROSS = re.compile(r"text_encoder\.bert\.encoder\.layer\.(\d+)\.crossattention\.")
_RULES = (
    (r"visual_encoder\.(.+)", r"image_encoder.trunk.\1"),
    (r"text_encoder\.bert\.(embeddings\.(?!position_ids).+)", r"text_encoder.trunk.\1"),
    (r"text_encoder\.cls\.predictions\.(transform\..+|bias)", r"heads.mlm.\1"),
    (r"vision_proj\.(.+)", r"image_projection.\1"),
    (r"text_proj\.(.+)", r"text_projection.\1"),
    (r"temp", "temperature"),
    (r"itm_head\.(.+)", r"matching_head.\1"),
    (r"prd_head\.(.+)", r"heads.prd.relation.\1"),
    (r"mrtd_head\.(.+)", r"heads.mrtd.detection.\1"),
)
_MOMENTUM = re.compile(r"(visual_encoder|text_encoder|vision_proj|text_proj)_m\.")
_WORD_HEAD = "text_encoder.cls.predictions"
_TOWERS = {16: "vit_base_patch16_384", 32: "vit_base_patch32_384"}
_HEAD_WIDTH = 64


@CHECKPOINTS.register_module("rasa")
class RaSaCheckpoint:
    """Checkpoints of RaSa, with or without its momentum copy and queues; and ALBEF's, which lack two heads.

    The picture's side is told by its positions, since RaSa's pictures are square.
    """

    title = "RaSa"
    model = "rasa_vitb16_cuhk"
    rules: tuple[tuple[str, str], ...] = ()
    unused = (
        r"(?:visual_encoder|text_encoder|vision_proj|text_proj)_m\..+",
        *QUEUES,
        r"text_encoder\.bert\.(?:embeddings\.position_ids|pooler\..+)",
        r"text_encoder\.cls\.predictions\.decoder\.\w+",
    )

    def recognises(self, names: Collection[str]) -> bool:
        """Tell whether a checkpoint has a BERT behind a vision transformer, and cross-attention in its last layers."""
        layers = {int(match[1]) for name in names if (match := _CROSS.match(name))}
        return bool(layers) and 0 not in layers and any(name.startswith("visual_encoder.") for name in names)

    def zoo_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, str]:
        """Return the zoo's name of every tensor that the model itself has, by official name.

        Raises:
            WeightsError: It is MARS's.
        """
        first = _first_fusion_layer(tensors) if any(map(_CROSS.match, tensors)) else len(tensors)
        return {name: zoo for name in tensors if (zoo := _zoo_name(name, first)) is not None}

    def training_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, str]:
        """Return the zoo's name of what is for training alone: the momentum copy and the queues, where they are whole.

        Raises:
            WeightsError: It is MARS's.
        """
        first = _first_fusion_layer(tensors)
        names = dict(_momentum_names(tensors, first))
        whole = {
            zoo
            for name in tensors
            if not name.startswith(("temp", "itm_head", "prd_head", "mrtd_head"))
            and (zoo := _zoo_name(name, first)) is not None
        }
        own = {zoo.removeprefix("momentum.").replace("masked_words.", "heads.mlm.") for zoo in names.values()}
        if not whole <= own:
            names = {}
        return names | (
            {name: f"heads.cl.{name}" for name in QUEUES} if all(name in tensors for name in QUEUES) else {}
        )

    def sizes(self, tensors: Mapping[str, Tensor], model: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read every size off the tensors.

        Raises:
            WeightsError: A tensor is missing or makes no sense, the positions are no square's, or it is MARS's.
        """
        first = _first_fusion_layer(tensors)
        image = _image_entry(tensors, model["image_encoder"])
        vocabulary_size, width = _shape(tensors, "text_encoder.bert.embeddings.word_embeddings.weight", 2)
        positions, _ = _shape(tensors, "text_encoder.bert.embeddings.position_embeddings.weight", 2)
        layers = [int(match[1]) for name in tensors if (match := _LAYER.match(name))]
        heads = {"num_heads": _num_heads(width, "captions")}
        fusion = {"width": width, "depth": min(1 + max(layers), len(tensors)) - first, "image_width": image["width"]}
        of_words: dict[str, Any] = {"width": width, "vocabulary_size": vocabulary_size}
        objectives: dict[str, Any] = {"mlm": of_words, "prd": {"width": width}, "mrtd": {"width": width}}
        bias = tensors.get(f"{_WORD_HEAD}.bias")
        parts = [
            f"{_WORD_HEAD}.transform.{part}.{kind}" for part in ("dense", "LayerNorm") for kind in ("weight", "bias")
        ]
        if bias is None or bias.shape != (vocabulary_size,) or not all(part in tensors for part in parts):
            objectives["mrtd"] = "it lets the head mlm write words, which the checkpoint has not whole"
        if "image_queue" in tensors:
            objectives["cl"] = {"queue_size": _shape(tensors, "image_queue", 2)[1]}
        return {
            "image_encoder": image,
            "text_encoder": {**of_words, **heads, "positions": positions, "depth": first},
            "fusion_encoder": {**fusion, **heads},
            "tokenizer": {"vocabulary_size": vocabulary_size},
            "embedding_size": _shape(tensors, "vision_proj.weight", 2)[0],
            "heads": objectives,
        }

    def fitted(self, tensors: Mapping[str, Tensor], model: Any) -> tuple[dict[str, Tensor], list[str]]:
        """Fit the positions of patches to a model that starts from a checkpoint: bicubic, as ALBEF's code does it.

        Args:
            tensors: By official name.
            model: The model.

        Returns:
            The tensors, and what was done, in words.

        Raises:
            WeightsError: The positions are no square's.
        """
        fitted, told = dict(tensors), []
        rows, columns = model.image_encoder.grid_size
        for name in (POSITIONS.format(""), POSITIONS.format("_m")):
            if name not in tensors:
                continue
            side = _side(tensors, name)
            if (side, side) != (rows, columns):
                patches = tensors[name][:, 1:].float().unflatten(1, (side, side)).permute(0, 3, 1, 2)
                resized = F.interpolate(patches, (rows, columns), mode="bicubic", align_corners=False)
                fitted[name] = torch.cat([tensors[name][:, :1].float(), resized.flatten(2).transpose(1, 2)], dim=1)
                told.append(f"{name} resized from {side} x {side} to {rows} x {columns}")
        return fitted, told


def _zoo_name(name: str, first: int) -> str | None:
    """Return the zoo's name of a tensor; None where the model has no place for it."""
    if (match := _LAYER.fullmatch(name)) is not None:
        index = int(match[1])
        own, number = ("text_encoder.trunk.encoder", index) if index < first else ("fusion_encoder", index - first)
        return f"{own}.layer.{number}.{match[2]}"
    for pattern, place in _RULES:
        if (match := re.fullmatch(pattern, name)) is not None:
            return match.expand(place)
    return None


def _momentum_names(tensors: Mapping[str, Tensor], first: int) -> Iterator[tuple[str, str]]:
    """Yield the official and the zoo's name of everything in the momentum copy."""
    for name in tensors:
        if _MOMENTUM.match(name) and (zoo := _zoo_name(_MOMENTUM.sub(r"\1.", name), first)) is not None:
            yield name, "momentum." + zoo.replace("heads.mlm.", "masked_words.")


def _first_fusion_layer(tensors: Collection[str]) -> int:
    """Return the number of the first layer that attends to pictures.

    Raises:
        WeightsError: There is none, or every layer does.
    """
    layers = [int(match[1]) for name in tensors if (match := _CROSS.match(name))]
    if not layers:
        raise WeightsError("no layer of its text_encoder has crossattention, so it is none of RaSa's")
    if not min(layers):
        raise WeightsError(
            "it is a checkpoint of MARS, whose caption attends to the picture in all layers"
            " (text_encoder.bert.encoder.layer.0.crossattention), and no part of the zoo has its form; take one of RaSa"
        )
    return min(layers)


def _image_entry(tensors: Mapping[str, Tensor], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of the image tower."""
    width, _, _, patch = _shape(tensors, "visual_encoder.patch_embed.proj.weight", 4)
    if patch not in _TOWERS:
        raise WeightsError(f"it has patches of {patch} pixels; known are {', '.join(map(str, _TOWERS))}")
    side = _side(tensors, POSITIONS.format("")) * patch
    if (given := tuple(recipe["image_size"])) != (side, side):
        raise WeightsError(
            f"its positions are those of {side // patch} x {side // patch} patches, so of pictures of {side} x {side}"
            f" pixels, not {given[0]} x {given[1]}; pass image_size=({side}, {side}) (--image-size {side} {side})"
        )
    blocks = [
        int(match[1]) for name in tensors if (match := re.match(r"visual_encoder\.blocks\.(\d+)\.", name)) is not None
    ]
    return {
        "model_name": _TOWERS[patch],
        "image_size": (side, side),
        "stride": patch,
        "width": width,
        "depth": min(1 + max(blocks, default=0), len(tensors)),
        "num_heads": _num_heads(width, "pictures"),
        "stem": "patch",
    }


def _side(tensors: Mapping[str, Tensor], name: str) -> int:
    """Return the side of the square of patches that positions were learned on."""
    count = _shape(tensors, name, 3)[1] - 1
    side = math.isqrt(max(count, 0))
    if not side or side**2 != count:
        raise WeightsError(f"{name} has {count} positions of patches, which fill no square")
    return side


def _num_heads(width: int, what: str) -> int:
    if width % _HEAD_WIDTH:
        raise WeightsError(f"the width {width} of its tokens of {what} is no multiple of {_HEAD_WIDTH}")
    return width // _HEAD_WIDTH


def _shape(tensors: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    """Return the shape of a tensor.

    Raises:
        WeightsError: It is missing, or has another number of dimensions.
    """
    if name not in tensors:
        raise WeightsError(f"it lacks {name}")
    return shape_of(tensors, name, dimensions)
