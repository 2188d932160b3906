"""CLIP weights as OpenAI published them, loaded into the towers of a model that is to be trained."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from tipr_zoo.backbones import CLIPTextEncoder, ModifiedResNetEncoder, VisionTransformerEncoder
from tipr_zoo.backbones.position_grid import learned_grid, resize_position_grid
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import WeightsError
from tipr_zoo.protocols import TwoTowerRetriever, missing_names
from tipr_zoo.terminal.log import logger
from tipr_zoo.weights.clip_names import (
    clip_shape,
    clip_to_zoo,
    clip_zoo_names,
    is_modified_resnet,
    names_from_clip,
)
from tipr_zoo.weights.hugging_face_names import to_openai
from tipr_zoo.weights.official_sizes import CLIP_VOCABULARY_SIZE
from tipr_zoo.weights.opening import open_mapping
from tipr_zoo.weights.recognition import is_clip_format, is_hugging_face_clip
from tipr_zoo.weights.tensors import first_of, read_weights
from tipr_zoo.weights.unwrapping import is_no_weight

UNUSED_ENTRIES = ("logit_scale", "input_resolution", "context_length", "vocab_size", "logit_bias")
"""What CLIP's weights hold besides its towers: three sizes, the temperature, which is fixed here, and a bias."""

_TOWERS = ("image_encoder.", "text_encoder.")
_HEAD_WIDTH = 64  # of one attention head of CLIP; the weights do not tell it
_POSITIONS = {False: "visual.positional_embedding", True: "visual.attnpool.positional_embedding"}
_LEAVES = ("weight", "bias", "running_mean", "running_var")
_COUNTER = "num_batches_tracked"  # of a batch normalisation; nothing is computed from it


@dataclass(frozen=True)
class LoadedClip:
    """What was done when CLIP's weights were loaded into a model.

    Attributes:
        grids: Rows and columns of the position grid before and after.
        initial: Parts of the model that CLIP does not bring, e.g. ``"heads.id"`` or ``"image_encoder.prompts"``. They
            keep their initialisation.
        unused: Entries of the weights that no model of the zoo has a use for.
        activations: Activation of each tower's MLPs where it is not the QuickGELU that OpenAI trained with.
    """

    grids: tuple[tuple[int, int], tuple[int, int]]
    initial: tuple[str, ...]
    unused: tuple[str, ...]
    activations: dict[str, str]

    def __str__(self) -> str:
        return self.line()

    def line(self, owner: str = "CLIP") -> str:
        """Return one line for the log, in which the weights are ``owner``'s."""
        (rows, columns), (new_rows, new_columns) = self.grids
        parts = [f"both towers have {owner}'s weights"]
        if self.grids[0] != self.grids[1]:
            parts.append(f"positions resized from {rows} x {columns} to {new_rows} x {new_columns}")
        if self.initial:
            parts.append(f"still random: {', '.join(self.initial)}")
        if self.unused:
            parts.append(f"not used: {', '.join(self.unused)}")
        parts += [f"the {tower} has {name}, OpenAI's has QuickGELU" for tower, name in self.activations.items()]
        return "; ".join(parts)


def load_clip_weights(model: DualEncoder, source: str | Path | Mapping[str, Any]) -> LoadedClip:
    """Load OpenAI-format CLIP weights into both towers, every tensor of both, in the model's own types.

    The learned position grid is resized to the model's where they differ; see `resize_position_grid`. What CLIP does
    not bring (heads, losses, neck, what else the towers hold) keeps its initialisation. One log line says what was
    done.

    Args:
        model: A model with CLIP towers of the same widths, depths, patch size and vocabulary. It is changed in place,
            and only if everything fits.
        source: A safetensors or PyTorch file, or its tensors under OpenAI's names (``visual.conv1.weight``, ...). The
            TorchScript archives that OpenAI serves are read, too, without running them, and so are the checkpoints of
            open_clip and of transformers' ``CLIPModel``.

    Raises:
        WeightsError: The weights cannot be read, are no CLIP, or do not fit the model.
    """
    if isinstance(source, (str, Path)):
        place, source = f"CLIP weights {source}", read_weights(Path(source))
    else:
        place = "the CLIP weights"
        source = open_mapping(source, place, has_numbers=not next(model.parameters()).is_meta)
    loaded = load_clip_tensors(model, source, place)
    logger.warning("%s: %s", place, loaded)
    return loaded


def load_clip_tensors(model: DualEncoder, source: Mapping[str, Any], place: str) -> LoadedClip:
    """Do what `load_clip_weights` does, with tensors that were read already: check that everything fits, and load it.

    Args:
        model: As in `load_clip_weights`; changed in place, and only if everything fits.
        source: The tensors under OpenAI's names.
        place: What to call the weights in messages.

    Raises:
        WeightsError: They are not in OpenAI's format, or do not fit the model's towers; nothing was loaded then.
    """
    if is_hugging_face_clip(source):
        source = to_openai(source)
    clip, grids = _fitted(model, source, place)
    own, resnet = model.state_dict(), is_modified_resnet(clip)
    model.load_state_dict(clip_to_zoo(clip, resnet), strict=False)  # what fits was checked above
    return LoadedClip(
        grids=grids,
        initial=parts_besides(own, names_from_clip(own, resnet)),
        unused=tuple(name for name in UNUSED_ENTRIES if name in source),
        activations={tower: name for tower, name in _activations(model).items() if name != "QuickGELU"},
    )


def _fitted(
    model: DualEncoder, source: Mapping[str, Any], place: str
) -> tuple[dict[str, Tensor], tuple[tuple[int, int], tuple[int, int]]]:
    """Return the tensors of CLIP's towers, which fit the model, and its position grid before and after."""
    _check_towers(model, place)
    clip = _clip_tensors(source, place)
    resnet = is_modified_resnet(clip)
    _check_kind(model, resnet, place)
    _check_vocabulary(model, clip, place)
    grids = _resize_positions(model, clip, resnet, place)
    if problems := _misfits(clip, model.state_dict(), resnet):
        raise WeightsError(f"{place} do not fit the model: {first_of(problems)}")
    return clip, grids


def fits_clip(model: DualEncoder, source: Mapping[str, Any]) -> bool:
    """Tell whether CLIP's weights fit a model, which may have no numbers.

    Args:
        model: The model.
        source: The tensors under the names of OpenAI or of transformers.
    """
    try:
        _fitted(model, to_openai(source) if is_hugging_face_clip(source) else source, "the CLIP weights")
    except WeightsError:
        return False
    return True


def can_start_from_clip(model: object) -> bool:
    """Tell whether there are weights of CLIP that a model can start from: it has towers of CLIP's kinds and words."""
    if missing_names(model, TwoTowerRetriever) or getattr(model.tokenize, "vocabulary_size", 0) != CLIP_VOCABULARY_SIZE:  # type: ignore[attr-defined]  # it has all of it
        return False
    try:
        _check_towers(model, "")  # type: ignore[arg-type]  # a retriever with two towers
    except WeightsError:
        return False
    return True


def is_plain_clip(model: DualEncoder) -> bool:
    """Tell whether a model is two towers without objectives: what it gives with CLIP's weights is CLIP's own result."""
    return not model.objectives and all(name.startswith(_TOWERS) for name in model.state_dict())


def parts_besides(own: Iterable[str], brought: Collection[str]) -> tuple[str, ...]:
    """Name the parts of a model whose tensors were not brought, each once.

    Args:
        own: Names of all tensors of the model.
        brought: Names of those that were.

    Returns:
        E.g. ``"heads.id"``; within a tower the layers, numbers as stars: ``"image_encoder.trunk.blocks.*.adapter"``.
    """
    return tuple(dict.fromkeys(part_of(name) for name in own if name not in brought and not name.endswith(_COUNTER)))


def part_of(name: str) -> str:
    """Return the part of a model that a tensor belongs to: ``heads.id`` of ``heads.id.classifier.weight``."""
    path = name.split(".")
    if not name.startswith(_TOWERS):
        return ".".join(path[: 2 if name.startswith(("heads.", "losses.")) else 1])
    layer = path[:-1] if path[-1] in _LEAVES else path
    return ".".join("*" if part.isdigit() else part for part in layer)


def _clip_tensors(source: Mapping[str, Any], place: str) -> dict[str, Tensor]:
    """Return the tensors of CLIP's towers by name."""
    if not is_clip_format(source):
        raise WeightsError(f"{place} are not in OpenAI's format: they have no entry visual.conv1.weight")
    clip = {name: value for name, value in source.items() if name not in UNUSED_ENTRIES and not is_no_weight(name)}
    for name, value in clip.items():
        if not isinstance(value, Tensor) or not (value.is_floating_point() or name.endswith(_COUNTER)):
            kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise WeightsError(f"{place}: {name} is {kind}; weights are floating-point numbers")
    return clip


def _check_towers(model: DualEncoder, place: str) -> None:
    """Check that both towers are of the kinds in which CLIP's weights mean what they mean in CLIP."""
    image, text = model.image_encoder, model.text_encoder
    if not isinstance(image, (VisionTransformerEncoder, ModifiedResNetEncoder)):
        needed = "VisionTransformerEncoder or ModifiedResNetEncoder"
        raise WeightsError(f"{place} fit no {type(image).__name__}; they need a {needed}")
    if not isinstance(text, CLIPTextEncoder):
        raise WeightsError(f"{place} fit no {type(text).__name__}; they need a CLIPTextEncoder")
    heads = {"text_encoder": (text.trunk.config.num_attention_heads, text.trunk.config.hidden_size)}
    if isinstance(image, VisionTransformerEncoder):
        heads["image_encoder"] = (image.trunk.blocks[0].attn.num_heads, image.trunk.embed_dim)
    for tower_name, (count, width) in heads.items():
        if count * _HEAD_WIDTH != width:
            raise WeightsError(
                f"{place} need one attention head per {_HEAD_WIDTH} of the width: {width / _HEAD_WIDTH:g} for a width"
                f" of {width}, the model has {count}; see model.{tower_name}.num_heads"
            )


def _check_kind(model: DualEncoder, resnet: bool, place: str) -> None:
    """Check that both image towers are of one kind: one line says it for all convolutions, which no transformer has."""
    if resnet != isinstance(model.image_encoder, ModifiedResNetEncoder):
        kind = "a ModifiedResNet" if resnet else "a vision transformer"
        raise WeightsError(
            f"{place} have {kind} for an image tower, the model a {type(model.image_encoder).__name__};"
            " choose another model.image_encoder.type"
        )


def _check_vocabulary(model: DualEncoder, clip: Mapping[str, Tensor], place: str) -> None:
    """Check that the same ids mean the same words."""
    embedding = clip.get("token_embedding.weight")
    if embedding is None or embedding.ndim != 2:
        return  # told with everything else that is missing or misshapen
    if (known := len(embedding)) != (wanted := model.tokenize.vocabulary_size):
        raise WeightsError(
            f"{place} know {known} token ids, the model's tokenizer {wanted}; CLIP's words need"
            " model.tokenizer.type='CLIPTokenizer' and its vocabulary in model.text_encoder and in heads"
        )


def _resize_positions(
    model: DualEncoder, clip: dict[str, Tensor], resnet: bool, place: str
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Fit the image tower's positions, in place, to the model's grid; return rows and columns before and after."""
    name, tower = _POSITIONS[resnet], model.image_encoder
    assert isinstance(tower, (VisionTransformerEncoder, ModifiedResNetEncoder))  # see _check_towers
    grid_size = tower.grid_size
    positions = clip.get(name)
    if positions is None or positions.ndim != 2:
        return grid_size, grid_size  # told with everything else that is missing or misshapen
    try:
        clip[name] = resize_position_grid(positions.float(), grid_size)
        return learned_grid(len(positions) - 1, grid_size), grid_size
    except WeightsError as error:
        raise WeightsError(f"{place}, {name}: {error}") from None


def _misfits(clip: Mapping[str, Tensor], own: Mapping[str, Tensor], resnet: bool) -> list[str]:
    """Name what has no place in the model, has another shape there, or is missing for it: one text each."""
    missing = names_from_clip(own, resnet).intersection(own)
    problems = []
    for name, tensor in clip.items():
        places = clip_zoo_names(name, resnet)
        if not places or any(place not in own for place in places):
            problems.append(f"{name} is left over")
            continue
        missing.difference_update(places)
        if (found := tuple(tensor.shape)) != (expected := clip_shape(name, own, resnet)):
            problems.append(f"{name} has shape {found}, the model {expected}")
    return problems + [f"{name} is missing" for name in own if name in missing]


def _activations(model: DualEncoder) -> dict[str, str]:
    """Name the activation of each tower's MLPs, where the tower has some."""
    image, text = model.image_encoder, model.text_encoder
    assert isinstance(text, CLIPTextEncoder)  # see _check_towers
    activations = {"text tower": text.trunk.text_model.encoder.layers[0].mlp.activation_fn}
    if isinstance(image, VisionTransformerEncoder):
        activations["image tower"] = image.trunk.blocks[0].mlp.act
    return {tower: type(activation).__name__.removesuffix("Activation") for tower, activation in activations.items()}
