"""Checkpoints of the published code of IRRA, SEN and FMFA, turned into models of the zoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.backbones.modified_resnet import SQUARE
from tipr_zoo.cards.card import ModelCard
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.models.building import build_retriever
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.registries import HEADS
from tipr_zoo.terminal.log import logger
from tipr_zoo.weights.official_names import head_key, is_unused
from tipr_zoo.weights.official_sizes import has_modified_resnet, head_entries, listed, tower_entries, tower_names
from tipr_zoo.weights.official_tensors import COUNTER, official_tensors, zoo_state
from tipr_zoo.weights.recognition import WeightsKind, recognise

METHODS = {
    "irra": "irra_vitb16_cuhk",
    "sen": "sen_vitb16_cuhk",
    "fmfa": "fmfa_vitb16_cuhk",
    "nam": "irra_vitb16_cuhk",
    "ham": "irra_vitb16_cuhk",
}
"""A model of the zoo for each method; its recipe has the method's losses and heads. NAM and HAM are IRRA pretrained."""

_CLIP_KINDS = (WeightsKind.CLIP, WeightsKind.HUGGING_FACE_CLIP)
_METHODS_BY_HEAD = {"irr": "IRRA, FMFA, NAM or HAM", "tir": "SEN"}


@dataclass(frozen=True)
class OfficialCheckpoint:
    """What was read from a checkpoint of the official code.

    Attributes:
        method: One of `METHODS`.
        card: The card of the model of the zoo that is the method's.
        model: The ``model`` entry of a recipe, every size as in the checkpoint; the input of `build_retriever`.
        state: Tensors under the names of the model that `model` builds, in the types that the checkpoint has.
        unused: Entries left over because no forward pass of the method needs them, or because they are fixed.
        unknown: Entries left over because the method has no such parameter.
        dropped: Heads of the method that the model does not have, by key, and why.
    """

    method: str
    card: ModelCard
    model: dict[str, Any]
    state: dict[str, Tensor]
    unused: tuple[str, ...]
    unknown: tuple[str, ...]
    dropped: dict[str, str]

    @property
    def notes(self) -> list[str]:
        """What was left over and what was missing, one text each; empty where everything has its place."""
        notes = []
        if self.unused:
            modules = ", ".join(dict.fromkeys(name.partition(".")[0] for name in self.unused))
            notes.append(f"left over, not needed by {self.method}: {modules} ({len(self.unused)} tensors)")
        if self.unknown:
            notes.append(f"left over, unknown to {self.method}: {listed(self.unknown)}")
        return notes + [f"model.heads.{key} is left out: {reason}" for key, reason in self.dropped.items()]


def from_official(
    checkpoint: str | Path | Mapping[str, Any],
    method: str,
    image_size: Sequence[int] = (384, 128),
    stride: int | None = 16,
    *,
    num_identities: int | None = None,
    training: bool = False,
) -> DualEncoder:
    """Build a model from a checkpoint of the official code of IRRA, SEN or FMFA, of any size.

    Widths, depths, heads, patch size, embedding size, vocabulary, identities and context length are read off the
    tensors. One log line says what was left over or missing. Nothing in a file is executed.

    Args:
        checkpoint: A PyTorch or safetensors file, or what it holds: tensors under official names. They may stand under
            a ``model`` or ``state_dict`` entry, and ``module.`` may stand before every name.
        method: ``"irra"``, ``"sen"``, ``"fmfa"``, or ``"nam"`` or ``"ham"``, which are IRRA pretrained. The names in
            the checkpoints of all but SEN are the same: the losses of the model are those of the method named here.
        image_size: Height and width in pixels of the pictures that it was trained on. The tensors tell the number of
            patches alone: 384 x 128 and 256 x 192 cannot be told apart.
        stride: Pixels between two patches, whatever their size; None is for patches that touch. The official code
            takes 16 by default. Patches of 14 pixels then do not touch, and patches of 32 overlap. The squares of a
            ResNet always touch.
        num_identities: How many identities the classifier is to have; None for as many as the checkpoint knows.
        training: Whether the model is to be trained on. If so, every head of the method must be in the checkpoint and
            fit. Otherwise a head that is missing, incomplete, or does not fit is left out of the model.

    Returns:
        The model in float32 on the CPU, in eval mode, with the method's losses and the heads that it has weights for.

    Raises:
        UnknownNameError: No such method.
        PluginError: The method's plugin is not installed.
        WeightsError: The checkpoint cannot be read, is of another method, lacks a part of a tower, or has positions for
            another grid of patches than `image_size` and `stride` give; with `training`, a head is missing.
        ConfigError: `image_size` or `stride` make no sense.
    """
    official = read_official(checkpoint, method, image_size, stride, num_identities=num_identities, training=training)
    model = load_official(official, _place(checkpoint))
    if official.notes:
        logger.warning("%s: %s", _place(checkpoint), "; ".join(official.notes))
    return model


def read_official(
    checkpoint: str | Path | Mapping[str, Any],
    method: str,
    image_size: Sequence[int] = (384, 128),
    stride: int | None = 16,
    *,
    num_identities: int | None = None,
    training: bool = False,
) -> OfficialCheckpoint:
    """Read a checkpoint without building a model.

    Args:
        checkpoint: A PyTorch or safetensors file, or what it holds, as in `from_official`.
        method: ``"irra"``, ``"sen"``, ``"fmfa"``, ``"nam"`` or ``"ham"``.
        image_size: Height and width in pixels of the pictures that it was trained on.
        stride: Pixels between two patches; None for patches that touch.
        num_identities: How many identities the classifier is to have; None for as many as the checkpoint knows.
        training: Whether every head of the method must be in the checkpoint and fit.

    Raises:
        UnknownNameError: There is no such method.
        PluginError: The method's plugin is missing or broken.
        WeightsError: The checkpoint cannot be read, is of another method, or its sizes contradict each other.
        ConfigError: `image_size` or `stride` make no sense.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise unknown_name("method", str(method), METHODS)
    resolved = resolve(METHODS[method])
    model = resolved.copied_recipe().model.to_dict()
    place = _place(checkpoint)
    tensors = official_tensors(checkpoint, place)
    _check_kind(tensors, method, model["heads"], place)
    for part, entry in tower_entries(tensors, image_size, stride, place).items():
        model[part] = entry if "type" in entry else model[part] | entry
    head_names, dropped = _fit_heads(model, tensors, num_identities, place)
    if training and dropped:
        key, reason = next(iter(dropped.items()))
        raise WeightsError(
            f"{place} cannot be trained on as {method}, for its head {key!r}: {reason}; without training=True it is"
            " left out"
        )
    used = {name: tensors[name] for name in [*tower_names(tensors, place), *head_names]}
    if wrong := [name for name, tensor in used.items() if not tensor.is_floating_point()]:
        raise WeightsError(f"{place}: {wrong[0]} is {tensors[wrong[0]].dtype}; weights are floating-point numbers")
    left_over = [
        name
        for name in tensors
        if name not in used and head_key(name) not in dropped and not name.endswith("." + COUNTER)
    ]
    return OfficialCheckpoint(
        method=method,
        card=resolved.card,
        model=model,
        state=zoo_state(used, has_modified_resnet(tensors)),
        unused=tuple(name for name in left_over if is_unused(name, method)),
        unknown=tuple(name for name in left_over if not is_unused(name, method)),
        dropped=dropped,
    )


def load_official(official: OfficialCheckpoint, place: str) -> DualEncoder:
    """Build the model of a checkpoint that was read, with its weights, in eval mode.

    Args:
        official: From `read_official`.
        place: What to call the checkpoint in messages.

    Raises:
        WeightsError: A tensor has another shape than the tensors around it demand.
    """
    model = build_retriever(official.model)
    own = model.state_dict()
    for name, tensor in official.state.items():
        if own[name].shape != tensor.shape:
            raise WeightsError(
                f"{place} contradicts itself: {name} has shape {tuple(tensor.shape)}, but the other tensors make it"
                f" {tuple(own[name].shape)}"
            )
    model.load_state_dict(official.state, strict=True)
    return model.eval()


def _place(checkpoint: object) -> str:
    """Return what messages call the checkpoint."""
    return f"checkpoint {checkpoint}" if isinstance(checkpoint, (str, Path)) else "the checkpoint"


def _check_kind(tensors: Mapping[str, Tensor], method: str, heads: Mapping[str, Any], place: str) -> None:
    """Check that the names are those of the method's checkpoints."""
    if not any(name.startswith("base_model.") for name in tensors):
        recognised = recognise(tensors)
        if recognised.kind is WeightsKind.ZOO:
            kind = "it has the zoo's own names already; pass it to tipr_zoo.build as weights="
        elif recognised.kind in _CLIP_KINDS or "visual.layer1.0.conv1.weight" in tensors:
            kind = "it looks like plain CLIP weights, which are for `tipr-zoo train NAME --weights FILE` to start from"
        elif recognised.is_known:
            kind = f"it is {recognised.words}"
        else:
            kind = f"it holds {listed(list(tensors))}" if tensors else "it is empty"
        raise WeightsError(f"{place} is no checkpoint of {method}, whose names begin with 'base_model.': {kind}")
    found = {key for name in tensors if (key := head_key(name)) in _METHODS_BY_HEAD}
    if found and not found & set(heads):
        looks = " and ".join(_METHODS_BY_HEAD[str(key)] for key in found)
        raise WeightsError(f"{place} is no checkpoint of {method}: it looks like one of {looks}; name that method")


def _fit_heads(
    model: dict[str, Any], tensors: Mapping[str, Tensor], num_identities: int | None, place: str
) -> tuple[list[str], dict[str, str]]:
    """Give the heads of a recipe the checkpoint's sizes, and remove heads that it has no fitting weights for.

    Returns:
        The official parameters of the heads that stay, and why each of the others was removed, by its key.
    """
    heads: dict[str, dict[str, Any]] = model["heads"]
    entries, stride = head_entries(tensors, model["image_encoder"], place), model["image_encoder"].get("stride", SQUARE)
    used: list[str] = []
    dropped: dict[str, str] = {}
    for key in list(heads):
        own = {name: tensor for name, tensor in tensors.items() if head_key(name) == key}
        heads[key] |= entries[key]
        count = heads[key].get("num_identities")
        try:
            if own and num_identities is not None and count not in (None, num_identities):
                raise _DoesNotFitError(f"the checkpoint has {count} identities, not {num_identities}")
            if heads[key].get("patch_size", stride) != stride:
                raise _DoesNotFitError(
                    f"it needs patches that touch, and those of the checkpoint are {stride} pixels apart"
                )
            used += _head_names(heads[key], own)
        except _DoesNotFitError as error:
            dropped[key] = str(error)
            del heads[key]
    return used, dropped


class _DoesNotFitError(Exception):
    """A head has no fitting weights in a checkpoint."""


def _head_names(entry: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the official parameters of a head, which are also its own.

    Raises:
        _DoesNotFitError: It cannot be made of these tensors.
    """
    if not tensors:
        raise _DoesNotFitError("the checkpoint has no weights of it")
    try:
        with torch.device("meta"):
            head = HEADS.build({name: value for name, value in entry.items() if name != "weight"})
    except ConfigError as error:  # for example pictures that SEN's restoration cannot cut into patches
        raise _DoesNotFitError(str(error)) from error
    parameters = head.state_dict()
    if missing := [name for name in parameters if name not in tensors]:
        raise _DoesNotFitError(f"the checkpoint lacks {listed(missing)}")
    for name, parameter in parameters.items():
        if (shape := tuple(tensors[name].shape)) != (expected := tuple(parameter.shape)):
            raise _DoesNotFitError(f"{name} has shape {shape}, but the other tensors make it {expected}")
    return list(parameters)
