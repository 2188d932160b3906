"""Turning checkpoints of official code into weights of the zoo, with a first card and a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tipr_zoo.authoring.card_stub import MethodBlock, card_stub, recipe_stub, weights_fields
from tipr_zoo.backbones.modified_resnet import SQUARE
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.machine.result_place import check_folder, make_folder
from tipr_zoo.machine.whole_file import whole_file, write_whole
from tipr_zoo.models.lookup import list_models
from tipr_zoo.models.official_checkpoint import OfficialCheckpoint, load_official, read_official
from tipr_zoo.models.recipe import DEFAULT_MODEL
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.models.weights_origin import CONVERTED_AS, origin_texts
from tipr_zoo.outside.files import file_sha256
from tipr_zoo.protocols import PatchImageTower
from tipr_zoo.weights.tensors import write_weights


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        official: The checkpoint that was read.
        grid_size: Rows and columns of patches.
        weights: The safetensors file.
        card: The card beside the weights. A person has to complete it.
        recipe: The recipe beside the weights.
        fitting_models: Names of models of the zoo that take these weights.
    """

    official: OfficialCheckpoint
    grid_size: tuple[int, int]
    weights: Path
    card: Path
    recipe: Path
    fitting_models: list[str]


def convert_checkpoint(
    source: Path,
    method: str,
    output: Path,
    image_size: Sequence[int] | None = None,
    stride: int | None = 16,
    overwrite: bool = False,
) -> Conversion:
    """Write a checkpoint of the official code as weights of the zoo.

    The weights keep the number types of the checkpoint. Beside them come a card (``.md``) and a recipe (``.py``). The
    card has empty fields, which a person has to fill. The recipe builds the model.

    Args:
        source: The checkpoint file.
        method: The method of the checkpoint, as in `tipr_zoo.from_official`.
        output: The safetensors file to write.
        image_size: Height and width in pixels; None for the method's own.
        stride: Pixels from a patch to the next. None for patches that touch.
        overwrite: Whether files that exist may be overwritten.

    Raises:
        ConfigError: `output` is no safetensors file, a file exists and may not be overwritten, or nothing can be
            written there.
        WriteError: A file cannot be written. Files that were there before are unchanged.
        WeightsError: The checkpoint cannot be read or does not fit; see `tipr_zoo.from_official`.
    """
    card, recipe = _files_beside(output, source, overwrite)
    official = read_official(source, method, image_size, stride)
    model = load_official(official, f"checkpoint {source}")  # proves that every tensor has a place
    reference = official.card
    origin = f"Converted from {source.name} (sha256 {file_sha256(source)}) by tipr-zoo convert --method {method}."
    # NAM, for example, has IRRA's architecture, but its own paper, code and licence.
    has_other_authors = official.title != reference.method.name
    known = MethodBlock(official.title, *((None, None) if has_other_authors else (reference.paper, reference.code)))
    make_folder(output.parent)
    # No file takes its place before all three are written: the card states the hash of the weights.
    with whole_file(output) as weights_part, whole_file(card) as card_part, whole_file(recipe) as recipe_part:
        about = origin_texts(output.stem, reference.plugin, recipe.name, {"model": official.model})
        write_weights(official.state, weights_part, about | {CONVERTED_AS: official.title})
        fields = weights_fields(weights_part, output.name)
        text = card_stub(output.stem, fields, recipe.name, reference.plugin, known, origin)
        # Each has its own writer, so that an error names the right file.
        write_whole(card_part, text.encode())
        write_whole(recipe_part, recipe_stub(official.model, origin).encode())
        if not overwrite:
            _check_unchanged({output: weights_part, card: card_part, recipe: recipe_part})
    fitting = _fitting_models(official, list_models(plugin=reference.plugin or "core"))
    return Conversion(official, _patch_tower(model).grid_size, output, card, recipe, fitting)


def _patch_tower(model: DualEncoder) -> PatchImageTower:
    """Return the image tower. A model that takes an official checkpoint has one of the zoo's own towers."""
    assert isinstance(model.image_encoder, PatchImageTower)
    return model.image_encoder


def _files_beside(output: Path, source: Path, overwrite: bool) -> tuple[Path, Path]:
    """Return the paths of the card and the recipe. Refuse paths that may not be written."""
    if output.suffix != ".safetensors":
        raise ConfigError(f"--output must end in .safetensors, got {str(output)!r}")
    if output.exists() and source.exists() and output.samefile(source):
        raise ConfigError(f"{output} is the checkpoint itself; choose another --output")
    check_folder(output.parent)
    card, recipe = output.with_suffix(".md"), output.with_suffix(".py")
    # The weights take their place last. Where they are missing, a conversion may have been killed: `_check_unchanged`.
    if output.exists() and not overwrite:
        raise _exists(output)
    return card, recipe


def _check_unchanged(parts: Mapping[Path, Path]) -> None:
    """Refuse to overwrite files with other content; those of a conversion that was killed have the same."""
    for file, part in parts.items():
        if file.exists() and not (file.is_file() and file_sha256(file) == file_sha256(part)):
            raise _exists(file)


def _exists(file: Path) -> ConfigError:
    return ConfigError(f"{file} exists; choose another --output, or overwrite it with --force")


def _fitting_models(official: OfficialCheckpoint, names: Sequence[str]) -> list[str]:
    """Return the models among `names` with the same parameters that take the same pictures and captions."""
    own = official.model
    own_pictures = (own["image_encoder"]["image_size"], own["image_encoder"].get("stride", SQUARE))
    shapes = {name: tensor.shape for name, tensor in official.state.items()}
    found = []
    for name in names:
        model = resolve(name).recipe.model
        if model.get("type", DEFAULT_MODEL) != own.get("type", DEFAULT_MODEL):
            continue
        if any(model[part].type != own[part]["type"] for part in ("tokenizer", "image_encoder", "text_encoder")):
            continue
        with torch.device("meta"):  # this device has shapes and no numbers
            candidate = build_retriever(model)
        pictures = (candidate.image_size, _patch_tower(candidate).stride)
        state = {key: value.shape for key, value in candidate.state_dict().items()}
        if _fits(shapes, state) and pictures == own_pictures:
            found.append(name)
    return found


def _fits(shapes: Mapping[str, torch.Size], model: Mapping[str, torch.Size]) -> bool:
    """Tell whether a model takes weights of these shapes. Heads may be absent, and any number of identities fits."""
    heads = tuple({".".join(name.split(".")[:2]) + "." for name in shapes if name.startswith("heads.")})
    wanted = {name: shape for name, shape in model.items() if not name.startswith("heads.") or name.startswith(heads)}
    if wanted.keys() != shapes.keys():
        return False
    differing = [name for name, shape in wanted.items() if shapes[name] != shape]
    return all(name.startswith("heads.id.classifier.") and shapes[name][1:] == wanted[name][1:] for name in differing)
