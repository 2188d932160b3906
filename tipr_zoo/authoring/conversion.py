"""Checkpoints of the official code, written as weights of the zoo with the beginnings of a card and a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tipr_zoo.authoring.card_stub import card_stub, recipe_stub, weights_fields
from tipr_zoo.backbones.modified_resnet import SQUARE
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.machine.result_place import check_folder, make_folder
from tipr_zoo.machine.whole_file import file_sha256, whole_file, write_whole
from tipr_zoo.models.building import build_dual_encoder
from tipr_zoo.models.lookup import list_models
from tipr_zoo.models.official_checkpoint import OfficialCheckpoint, load_official, read_official
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.protocols import PatchImageTower
from tipr_zoo.weights.tensors import write_weights

_OTHER_AUTHORS = ("nam", "ham")  # IRRA's architecture, but papers, code and licences of their own


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes:
        official: What was read.
        grid_size: Rows and columns of patches.
        weights: The safetensors file.
        card: The card beside it, to be completed.
        recipe: The recipe beside it.
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
    image_size: Sequence[int] = (384, 128),
    stride: int | None = 16,
    overwrite: bool = False,
) -> Conversion:
    """Write a checkpoint of the official code as weights of the zoo.

    Beside the weights, which keep the number types that the checkpoint has, come a card (``.md``), whose empty fields a
    person has to fill, and a recipe (``.py``) that builds the model.

    Args:
        source: The checkpoint; it and the next arguments are those of `tipr_zoo.from_official`.
        method: Its method.
        output: The safetensors file to write.
        image_size: Height and width in pixels.
        stride: Pixels between two patches; None for patches that touch.
        overwrite: Whether files that exist may be overwritten.

    Raises:
        ConfigError: `output` is no safetensors file, or a file exists and may not be overwritten, or nothing
            can be written there.
        WriteError: A file cannot be written; those that were there are as they were.
        WeightsError: The checkpoint cannot be read or does not fit; see `tipr_zoo.from_official`.
    """
    card, recipe = _files_beside(output, source, overwrite)
    official = read_official(source, method, image_size, stride)
    model = load_official(official, f"checkpoint {source}")  # proves that every tensor has its place
    reference = official.card
    origin = f"Converted from {source.name} (sha256 {file_sha256(source)}) by tipr-zoo convert --method {method}."
    links = {} if method in _OTHER_AUTHORS else {"paper": reference.paper, "code": reference.code}
    known = {key: link for key, link in links.items() if link is not None}
    make_folder(output.parent)
    # None of the three takes its place before all are written: a card says what its weights are.
    with whole_file(output) as weights_part, whole_file(card) as card_part, whole_file(recipe) as recipe_part:
        write_weights(official.state, weights_part)
        fields = weights_fields(weights_part, output.name)
        text = card_stub(output.stem, fields, recipe.name, reference.plugin, known, origin)
        # Each through a writer of its own, so that an error says which of them it is of.
        write_whole(card_part, text.encode())
        write_whole(recipe_part, recipe_stub(official.model, origin).encode())
    fitting = _fitting_models(official, list_models(plugin=reference.plugin or "core"))
    return Conversion(official, _patch_tower(model).grid_size, output, card, recipe, fitting)


def _patch_tower(model: DualEncoder) -> PatchImageTower:
    """The image tower of a model that an official checkpoint can be loaded into: one of the zoo's own."""
    assert isinstance(model.image_encoder, PatchImageTower)
    return model.image_encoder


def _files_beside(output: Path, source: Path, overwrite: bool) -> tuple[Path, Path]:
    """The card and the recipe to be written."""
    if output.suffix != ".safetensors":
        raise ConfigError(f"--output must end in .safetensors, got {str(output)!r}")
    if output.exists() and source.exists() and output.samefile(source):
        raise ConfigError(f"{output} is the checkpoint itself; choose another --output")
    check_folder(output.parent)
    card, recipe = output.with_suffix(".md"), output.with_suffix(".py")
    for file in (output, card, recipe):
        if file.exists() and not overwrite:
            raise ConfigError(f"{file} exists; choose another --output, or overwrite it with --force")
    return card, recipe


def _fitting_models(official: OfficialCheckpoint, names: Sequence[str]) -> list[str]:
    """Those of the models `names` that have the same parameters and take the same pictures and captions."""
    own = official.model
    own_pictures = (own["image_encoder"]["image_size"], own["image_encoder"].get("stride", SQUARE))
    shapes = {name: tensor.shape for name, tensor in official.state.items()}
    found = []
    for name in names:
        model = resolve(name).recipe.model
        if any(model[part].type != own[part]["type"] for part in ("tokenizer", "image_encoder", "text_encoder")):
            continue
        with torch.device("meta"):  # shapes without numbers
            candidate = build_dual_encoder(model)
        pictures = (candidate.image_size, _patch_tower(candidate).stride)
        state = {key: value.shape for key, value in candidate.state_dict().items()}
        if _fits(shapes, state) and pictures == own_pictures:
            found.append(name)
    return found


def _fits(shapes: Mapping[str, torch.Size], model: Mapping[str, torch.Size]) -> bool:
    """Whether a model takes weights of these shapes: heads may be absent, and identities are as many as there are."""
    heads = tuple({".".join(name.split(".")[:2]) + "." for name in shapes if name.startswith("heads.")})
    wanted = {name: shape for name, shape in model.items() if not name.startswith("heads.") or name.startswith(heads)}
    if wanted.keys() != shapes.keys():
        return False
    differing = [name for name, shape in wanted.items() if shapes[name] != shape]
    return all(name.startswith("heads.id.classifier.") and shapes[name][1:] == wanted[name][1:] for name in differing)
