"""Checkpoints of methods' published code, turned into models of the zoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, UnknownNameError, WeightsError
from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.models.checkpoint_kind import check_kind
from tipr_zoo.models.checkpoint_reader import MethodReader
from tipr_zoo.models.official_heads import fit_heads
from tipr_zoo.models.reader_lookup import reader_named
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.terminal.log import logger
from tipr_zoo.weights.official_sizes import checked_image_size, has_modified_resnet, listed, tower_entries, tower_names
from tipr_zoo.weights.official_tensors import COUNTER, official_tensors, zoo_state

_CHECKED_BEFORE = ("image_encoder.", "text_encoder.", "heads.")
NO_TRAINING_STATE = (
    "it is for inference alone: a training begins with a new momentum copy of its weights and new queues"
)


@dataclass(frozen=True)
class OfficialCheckpoint:
    """What was read from a checkpoint of the official code.

    Attributes:
        method: The name of the method's reader.
        title: The method's name as people write it.
        card: The card of the model of the zoo that is the method's.
        model: The ``model`` entry of a recipe, every size as in the checkpoint; the input of `build_retriever`.
        state: Tensors under the names of the model that `model` builds, in the types that the checkpoint has.
        unused: Entries left over because no forward pass of the method needs them, or because they are fixed.
        unknown: Entries left over because the method has no such parameter.
        dropped: Heads of the method that the model does not have, by key, and why.
        needed: Entries that became part of the model.
        training_state: What a training goes on from besides, such as a momentum copy, under the names of the model.
        lacks_training_state: Whether the method has such a thing, and the checkpoint has nothing of it.
    """

    method: str
    title: str
    card: ModelCard
    model: dict[str, Any]
    state: dict[str, Tensor]
    unused: tuple[str, ...]
    unknown: tuple[str, ...]
    dropped: dict[str, str]
    needed: tuple[str, ...] = ()
    training_state: Mapping[str, Tensor] = field(default_factory=dict)
    lacks_training_state: bool = False

    @property
    def notes(self) -> list[str]:
        """What was left over and what was missing, one text each; empty where everything has its place."""
        notes = []
        if self.unused:
            modules = ", ".join(self._unused_modules())
            notes.append(f"left over, not needed by {self.method}: {modules} ({len(self.unused)} tensors)")
        if self.unknown:
            notes.append(f"left over, unknown to {self.method}: {listed(self.unknown)}")
        if self.lacks_training_state:
            notes.append(NO_TRAINING_STATE)
        return notes + [f"model.heads.{key} is left out: {reason}" for key, reason in self.dropped.items()]

    def _unused_modules(self) -> list[str]:
        """Return what nothing of is needed: the shortest beginnings of names that no other tensor has."""
        others = [*self.needed, *self.unknown]
        found: dict[str, None] = {}
        for name in self.unused:
            words = name.split(".")
            starts = (".".join(words[:count]) for count in range(1, len(words) + 1))
            found[
                next(start for start in starts if not any(f"{other}.".startswith(f"{start}.") for other in others))
            ] = None
        return list(found)


def from_official(
    checkpoint: str | Path | Mapping[str, Any],
    method: str,
    image_size: Sequence[int] | None = None,
    stride: int | None = 16,
    *,
    num_identities: int | None = None,
    training: bool = False,
) -> BuiltModel:
    """Build a model from a checkpoint of a method's official code, of any size.

    Widths, depths, heads, patch size, embedding size, vocabulary, identities and context length are read off the
    tensors. One log line says what was left over or missing. Nothing in a file is executed.

    Args:
        checkpoint: A PyTorch or safetensors file, or what it holds: tensors under official names. They may stand under
            a ``model`` or ``state_dict`` entry, and ``module.`` may stand before every name.
        method: The core has ``"irra"``, and ``"nam"``, ``"ham"`` and ``"ga_dms"``, which pretrain IRRA. The zoo's
            plugins have ``"sen"``, ``"fmfa"``, ``"rde"``, ``"rasa"``, ``"tbps_clip"``, and ``"icl"`` and ``"conquer"``,
            which have RDE's model; any other plugin may bring more. Where methods share their names, the losses are
            those of the one named here.
        image_size: Height and width in pixels of the pictures that it was trained on; None for those of the method's
            model, which are 384 x 128 for most, and 224 x 224 for TBPS-CLIP. The tensors tell the number of patches
            alone: 384 x 128 and 256 x 192 cannot be told apart.
        stride: Pixels between two patches, whatever their size; None is for patches that touch. The official code
            takes 16 by default. Patches of 14 pixels then do not touch, and patches of 32 overlap. The squares of a
            ResNet always touch.
        num_identities: How many identities the classifier is to have; None for as many as the checkpoint knows. A
            method without a classifier, such as RDE, takes none.
        training: Whether the model is to be trained on. If so, every head of the method must be in the checkpoint and
            fit. Otherwise a head that is missing, incomplete, or does not fit is left out of the model.

    Returns:
        The model in float32 on the CPU, in eval mode, with the method's losses and the heads that it has weights for.

    Raises:
        UnknownNameError: No such method.
        PluginError: The method's plugin is not installed, or its reader is broken.
        WeightsError: The checkpoint cannot be read, is of another method, lacks a part of the model, or has positions
            for another grid of patches than `image_size` and `stride` give; with `training`, a head is missing.
        ConfigError: `image_size`, `stride` or `num_identities` make no sense.
    """
    official = read_official(checkpoint, method, image_size, stride, num_identities=num_identities, training=training)
    model = load_official(official, _place(checkpoint))
    if official.notes:
        logger.warning("%s: %s", _place(checkpoint), "; ".join(official.notes))
    return cast(BuiltModel, model)


def read_official(
    checkpoint: str | Path | Mapping[str, Any],
    method: str,
    image_size: Sequence[int] | None = None,
    stride: int | None = 16,
    *,
    num_identities: int | None = None,
    training: bool = False,
) -> OfficialCheckpoint:
    """Read a checkpoint without making a model of it.

    Args:
        checkpoint: A PyTorch or safetensors file, or what it holds, as in `from_official`.
        method: The method, as in `from_official`.
        image_size: Height and width in pixels of the pictures that it was trained on; None for the method's own.
        stride: Pixels between two patches; None for patches that touch.
        num_identities: How many identities the classifier is to have; None for as many as the checkpoint knows.
        training: Whether every head of the method must be in the checkpoint and fit.

    Raises:
        UnknownNameError: There is no such method.
        PluginError: The method's plugin is missing or broken.
        WeightsError: The checkpoint cannot be read, is of another method, or its sizes contradict each other.
        ConfigError: `image_size` or `stride` make no sense.
    """
    reader = reader_named(method)
    resolved = resolve(reader.model)
    model = resolved.copied_recipe().model.to_dict()
    place = _place(checkpoint)
    _check_identities(model, num_identities, resolved.card.name)
    tensors = official_tensors(checkpoint, place)
    size = tuple(model["image_encoder"]["image_size"]) if image_size is None else image_size
    with tensors.told():
        check_kind(tensors, reader, place)
        for part, entry in _towers(tensors, reader, size, stride, place).items():
            model[part] = entry if "type" in entry else model[part] | entry
        places = reader.places(tensors, place)
        dropped = fit_heads(model, reader.sizes(tensors, model, place), tensors, places, num_identities)
        if training and dropped:
            key, reason = next(iter(dropped.items()))
            raise WeightsError(
                f"{place} cannot be trained on as {method}, for its head {key!r}: {reason}; without training=True it is"
                " left out"
            )
        own = _names(model, reader)
        checked = "heads." if reader.has_own_towers else _CHECKED_BEFORE
        needed = [name for name in own if not name.startswith(checked) and not name.endswith("." + COUNTER)]
        if missing := [name for name in needed if name not in places.values()]:
            raise WeightsError(f"{place} is incomplete: no tensor of it becomes {listed(missing)} of {method}'s model")
        fitting = [name for name, zoo in places.items() if zoo in own]
        towers = () if reader.has_own_towers else tower_names(tensors, place)
        used = {name: tensors[name] for name in [*towers, *fitting]}
        training_state = reader.training_places(tensors) if training else {}
        _check_numbers(used, place)
        of_dropped = {name for name, zoo in places.items() if zoo.startswith("heads.") and zoo.split(".")[1] in dropped}
        left_over = [
            name
            for name in tensors
            if name not in {*used, *of_dropped, *training_state} and not name.endswith("." + COUNTER)
        ]
        return OfficialCheckpoint(
            method=method,
            title=reader.title,
            card=resolved.card,
            model=model,
            state=(
                {places[name]: tensor for name, tensor in used.items()}
                if reader.has_own_towers
                else zoo_state(used, has_modified_resnet(tensors), reader.rules)
            ),
            unused=tuple(tensors.written(name) for name in left_over if reader.is_unused(name)),
            unknown=tuple(tensors.written(name) for name in left_over if not reader.is_unused(name)),
            dropped=dropped,
            needed=tuple(map(tensors.written, used)),
            training_state={zoo: tensors[name] for name, zoo in training_state.items()},
            lacks_training_state=training and reader.has_training_state and not training_state,
        )


def _towers(
    tensors: Mapping[str, Tensor], reader: MethodReader, image_size: Sequence[int], stride: int | None, place: str
) -> dict[str, dict[str, Any]]:
    """Return the entries of both towers. A reader that has towers of its own tells their sizes itself."""
    if reader.has_own_towers:
        return {"image_encoder": {"image_size": checked_image_size(image_size)}}
    return tower_entries(tensors, image_size, stride, place)


def load_official(official: OfficialCheckpoint, place: str) -> DualEncoder:
    """Build the model of a checkpoint that was read, with its weights, in eval mode.

    Args:
        official: From `read_official`.
        place: What to call the checkpoint in messages.

    Raises:
        WeightsError: A tensor has another shape than the tensors around it demand.
    """
    model = build_retriever(official.model)
    own, state = model.state_dict(), official.state
    for name, tensor in state.items():
        if own[name].shape != tensor.shape:
            raise WeightsError(
                f"{place} contradicts itself: {name} has shape {tuple(tensor.shape)}, but the other tensors make it"
                f" {tuple(own[name].shape)}"
            )
    model.load_state_dict(state, strict=True)
    if official.training_state:
        cast(Any, model).keep_training_state(official.training_state)
    return model.eval()


def _check_identities(model: Mapping[str, Any], num_identities: int | None, name: str) -> None:
    """Check that a number of identities is one, and that the recipe of a method has a head that takes it.

    Raises:
        ConfigError: It is not, or there is none.
    """
    if num_identities is None:
        return
    if isinstance(num_identities, bool) or not isinstance(num_identities, int) or num_identities < 1:
        raise ConfigError(f"num_identities must be a whole number above 0, got {num_identities!r}")
    if not any(
        isinstance(entry, Mapping) and "num_identities" in entry for entry in (model.get("heads") or {}).values()
    ):
        raise ConfigError(
            f"num_identities={num_identities} is for an identity classifier, which the recipe of {name} does not have;"
            " leave it out"
        )


def _place(checkpoint: object) -> str:
    """Return what messages call the checkpoint."""
    return f"checkpoint {checkpoint}" if isinstance(checkpoint, (str, Path)) else "the checkpoint"


def _names(model: Mapping[str, Any], reader: MethodReader) -> list[str]:
    """Return the names of a model's tensors. It is built without numbers.

    Raises:
        ConfigError: It cannot be built, for which its reader may be to blame.
    """
    try:
        with torch.device("meta"):
            return list(build_retriever(model).state_dict())
    except (ConfigError, UnknownNameError) as error:
        raise ConfigError(f"with the sizes that {reader.place} gives: {error}") from error


def _check_numbers(tensors: Mapping[str, Tensor], place: str) -> None:
    """Check that all but the counters are floating-point numbers."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() and not name.endswith("." + COUNTER):
            raise WeightsError(f"{place}: {name} is {tensor.dtype}; weights are floating-point numbers")
