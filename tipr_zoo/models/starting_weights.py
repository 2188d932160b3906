"""The weights that a training starts from: the model's own, CLIP's, an official checkpoint, or a tower of timm's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import WeightsError
from tipr_zoo.hub.weights import local_weights
from tipr_zoo.models.checkpoint_reader import checked_reader
from tipr_zoo.models.clip_weights import load_clip_tensors, part_of, parts_besides
from tipr_zoo.models.objective_setup import without_set_up
from tipr_zoo.models.official_checkpoint import NO_TRAINING_STATE
from tipr_zoo.models.reader_lookup import reader_named, readers_of
from tipr_zoo.models.timm_weights import load_timm_tower
from tipr_zoo.protocols import TwoTowerRetriever, missing_names
from tipr_zoo.registries import CHECKPOINTS
from tipr_zoo.terminal.log import logger
from tipr_zoo.weights.official_names import TOWERS
from tipr_zoo.weights.official_sizes import listed, tower_names
from tipr_zoo.weights.official_tensors import COUNTER, official_tensors
from tipr_zoo.weights.opening import open_weights
from tipr_zoo.weights.recognition import WeightsKind, is_fusion_format
from tipr_zoo.weights.tensors import first_of, load_tensors

_ENCODERS = ("image_encoder.", "text_encoder.", "fusion_encoder.")


def load_starting_weights(model: DualEncoder, path: Path) -> None:
    """Load what a training is to start from. The log says what of it is left out or stays random.

    Args:
        model: Changed in place.
        path: Weights of the whole model, whose identity classifier may be of other identities. Or CLIP's weights, for
            the towers, as OpenAI, open_clip or transformers save them. Or a checkpoint of a method's official code,
            such as IRRA's or NAM's, for the towers and for those other parts of the model that the checkpoint has. Or
            those of an image tower alone, under the names of timm. On the Hub: ``hub:owner/name[@revision][:file]``.

    Raises:
        HubError: The Hub cannot be reached or does not give the file.
        WeightsError: The file cannot be read, or does not fit the model.
    """
    path = local_weights(path)
    opened = open_weights(path)
    tensors, kind = opened.tensors, opened.recognised.kind
    missing = missing_names(model, TwoTowerRetriever)
    if missing and kind in (WeightsKind.CLIP, WeightsKind.HUGGING_FACE_CLIP, WeightsKind.OFFICIAL):
        raise WeightsError(
            f"{path} holds the weights of two towers, and {type(model).__name__} lacks {', '.join(missing)}; start it"
            " from weights of its own"
        )
    if kind in (WeightsKind.CLIP, WeightsKind.HUGGING_FACE_CLIP):
        place = f"CLIP weights {path}"
        logger.warning("%s: %s", place, load_clip_tensors(model, tensors, place))
    elif kind is WeightsKind.OFFICIAL:
        _load_official(model, tensors, path)
    elif kind is WeightsKind.TIMM:
        load_timm_tower(model, tensors, f"timm weights {path}")
    else:
        tensors = without_set_up(model, tensors, path)
        load_tensors(model, _without_other_classifier(model, tensors, path), path)


def _load_official(model: DualEncoder, tensors: dict[str, Tensor], path: Path) -> None:
    """Load both towers from an official checkpoint, as from CLIP's weights, and every other part that both have."""
    place = f"checkpoint {path}"
    official = official_tensors(tensors, place)
    if is_fusion_format(official):
        _load_whole(model, official, place)
        return
    own = model.state_dict()
    with official.told():
        towers = tower_names(official, place)
    known = _places(official, place)
    places = {name: zoo for name, zoo in known.items() if zoo in own}
    parts = _without_other_classifier(model, {zoo: official[name] for name, zoo in places.items()}, path)
    if problems := _problems_of_parts(parts, own):
        raise WeightsError(f"{place} does not fit the model: {first_of(problems)}")
    with official.told():
        loaded = load_clip_tensors(model, {name.removeprefix(TOWERS): official[name] for name in towers}, place)
    model.load_state_dict(parts, strict=False)  # what fits was checked above
    initial = [part for part in loaded.initial if not any(name.startswith(part + ".") for name in parts)]
    left_over = [name for name in official if name not in known and not name.startswith(TOWERS)]
    left_over += [name for name in known if name not in places]
    told = [replace(loaded, initial=tuple(initial)).line("the checkpoint")]
    told += [official.written(f"left over: {listed(left_over)}")] if left_over else []
    logger.warning("%s: %s", place, "; ".join(told))


def _load_whole(model: DualEncoder, official: Mapping[str, Tensor], place: str) -> None:
    """Load every part that both have from a checkpoint whose towers are none of CLIP's."""
    readers = [reader for reader in readers_of(official) if reader.has_own_towers]
    if not readers:
        for method in CHECKPOINTS.names():
            if (relative := checked_reader(method)).has_own_towers:
                relative.places(official, place)  # which knows its method's relatives by name
        raise WeightsError(f"{place} is one of ALBEF's kind, and no installed plugin knows it; see tipr-zoo plugins")
    reader, own = readers[0], model.state_dict()
    fitted, done = reader.fitted(official, model)
    known = reader.places(fitted, place)
    parts = {zoo: fitted[name] for name, zoo in known.items() if zoo in own}
    problems = _problems_of_parts(parts, own)
    problems += [f"{name} is missing" for name in own if name.startswith(_ENCODERS) and name not in parts]
    if problems:
        raise WeightsError(f"{place} does not fit the model: {first_of(problems)}")
    model.load_state_dict(parts, strict=False)  # what fits was checked above
    further = reader.training_places(fitted)
    if further:
        cast(Any, model).keep_training_state({zoo: fitted[name] for name, zoo in further.items()})
    initial = parts_besides(own, parts)
    left_over = [name for name in official if name not in {*known, *further} and not reader.is_unused(name)] + [
        name for name, zoo in known.items() if zoo not in own
    ]
    told = [f"the model has the weights of {reader.title}'s kind", *done]
    told += [] if further else [NO_TRAINING_STATE]
    told += [f"still random: {', '.join(initial)}"] if initial else []
    told += [f"left over: {listed(left_over)}"] if left_over else []
    logger.warning("%s: %s", place, "; ".join(told))


def _places(official: Mapping[str, Tensor], place: str) -> dict[str, str]:
    """Return where the tensors go that are no tower's, as every method says that has these names.

    Raises:
        WeightsError: Two methods have these names and mean different things.
    """
    readers = readers_of(official)
    if not readers:  # no method's own part is there; an identity classifier is IRRA's
        return reader_named("irra").places(official, place)
    places = readers[0].places(official, place)
    if other := next((reader for reader in readers if reader.places(official, place) != places), None):
        raise WeightsError(
            f"{place} is recognised by the readers of {readers[0].method} and {other.method}, which name its tensors"
            " differently; say whose it is: tipr-zoo convert FILE --method METHOD, and start from what that writes"
        )
    return places


def _problems_of_parts(parts: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """Name what keeps heads and other parts from being loaded: each must be there as a whole, or not at all."""
    begun = tuple({f"{part_of(name)}." for name in parts})
    problems = [
        f"{name} is missing"
        for name in own
        if name not in parts and name.startswith(begun) and not name.endswith("." + COUNTER)
    ]
    problems += [
        f"{name} has shape {tuple(tensor.shape)}, the model {tuple(own[name].shape)}"
        for name, tensor in parts.items()
        if tensor.shape != own[name].shape
    ]
    return problems + [
        f"{name} is {tensor.dtype}, and weights are floating-point numbers"
        for name, tensor in parts.items()
        if not tensor.is_floating_point() and not name.endswith("." + COUNTER)
    ]


def _without_other_classifier(model: DualEncoder, tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the tensors. A classifier of other identities is replaced by the model's own, which starts anew."""
    own = model.state_dict()
    named = [name for name in tensors if name.startswith("heads.id.classifier.") and name in own]
    if any(tensors[name].shape[1:] != own[name].shape[1:] or not tensors[name].ndim for name in named):
        return tensors  # of another width: whoever loads them refuses them
    classifier = {name: own[name] for name in named}
    if all(tensors[name].shape == tensor.shape for name, tensor in classifier.items()):
        return tensors
    logger.warning("%s: its identity classifier is of other identities, so that the model's starts anew", path)
    return tensors | classifier
