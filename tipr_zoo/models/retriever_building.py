"""From the ``model`` entry of a recipe to a retriever: each name becomes a component, and all must fit each other."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

from tipr_zoo.backbones.plain_trunks import plain_trunks
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.models.component_check import (
    check_embedding_sizes,
    check_needs,
    check_sentences,
    check_token_ids,
    checked,
    checked_image_tower,
    checked_retriever,
)
from tipr_zoo.models.recipe import DEFAULT_MODEL
from tipr_zoo.models.recipe_values import build_component, checked_channels
from tipr_zoo.pictures.preprocessing import ImageNormalisation
from tipr_zoo.plugins.accepted_arguments import accepted_arguments
from tipr_zoo.protocols import Head, Loss, Neck, TextTower, Tokenizer
from tipr_zoo.registries import BACKBONES, HEADS, LOSSES, MODELS, TOKENIZERS
from tipr_zoo.registry import Registry


def build_retriever(model: Mapping[str, Any]) -> DualEncoder:
    """Build a model from the ``model`` entry of a recipe.

    Args:
        model: The entry, a dict. ``type`` names a class of the registry MODELS, `DualEncoder` where it is left out.
            ``image_encoder``, ``text_encoder`` and ``tokenizer`` are each a dict with ``type``. ``losses`` and
            ``heads`` hold such dicts by the key that `DualEncoder.loss` returns; each may have a ``weight``, and None
            leaves one out. ``neck`` is a dict with ``type``, where both embeddings go through a neck. ``mean`` and
            ``std`` normalise the pictures; CLIP's stand where they are left out. The class is handed what these
            entries give, as far as its constructor names it, and every other entry as it is.

    Returns:
        The model: a module that has all that `tipr_zoo.protocols.Retriever` promises.

    Raises:
        UnknownNameError: No such component, or the class takes no such entry.
        ConfigError: An entry is missing or makes no sense, a component lacks what another needs of it, or the class
            lacks what every retriever has.
    """
    kind = model.get("type", DEFAULT_MODEL)
    names = accepted_arguments(MODELS.get(kind))
    built = _built_entries(model, names)
    made = {*built, "type", *(_CHANNELS if "normalisation" in built else ())}
    given = {key: value for key, value in model.items() if key not in made and not (key in _BUILT and value is None)}
    retriever = build_component(MODELS, {**given, **built, "type": kind}, "model")
    return checked_retriever(retriever, "model")  # type: ignore[return-value]  # a `DualEncoder`, or what stands for one


def build_text_side(model: Mapping[str, Any]) -> nn.Module | None:
    """Build what embeds sentences alone, from the ``model`` entry of a recipe. Nothing of the image tower is imported.

    Args:
        model: See `build_retriever`.

    Returns:
        A model in training mode of which ``tokenize`` and ``encode_text`` are of use in evaluation mode, with tensors
        named as those of the whole model; None where the recipe's class does not say by an own ``text_side`` what
        embeds a sentence. What it inherits may be of another class than its own ``encode_text``.

    Raises:
        TiprZooError: As `build_retriever` does.
    """
    kind = MODELS.get(model.get("type", DEFAULT_MODEL))
    if "text_side" not in vars(kind):
        return None
    with plain_trunks():
        tokenizer = _component(TOKENIZERS, model, "tokenizer", Tokenizer)
        tower = _component(BACKBONES, model, "text_encoder", TextTower)
        neck = _component(BACKBONES, model, "neck", Neck) if model.get("neck") else None
    check_token_ids({"model.text_encoder": tower}, tokenizer)
    check_sentences(tower, tokenizer)
    others = {key: value for key, value in model.items() if key not in (*_BUILT, "type")}
    side: nn.Module = kind.text_side(tower, tokenizer, neck, **others)
    return side


_CHANNELS = ("mean", "std")

_BUILT = ("image_encoder", "text_encoder", "tokenizer", "neck", "losses", "heads", *_CHANNELS)
"""The entries of ``model`` that are built before the class is made, or made into something else."""


def _built_entries(model: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Build the entries of ``model`` that a class's constructor names; return them by argument."""
    given: dict[str, Any] = {}
    if "normalisation" in names:
        given["normalisation"] = ImageNormalisation(**checked_channels(model))
    for kind, registry, protocol in (("losses", LOSSES, Loss), ("heads", HEADS, Head)):
        if kind in names:
            given[kind], weights = _build_objectives(model, kind, registry, protocol)
            given["loss_weights"] = given.get("loss_weights", {}) | weights
    if both := set(given.get("losses", ())) & set(given.get("heads", ())):
        raise ConfigError(f"losses and heads share the key {sorted(both)[0]!r}; rename one of them")
    if "tokenizer" in names and "tokenizer" in model:
        given["tokenizer"] = _component(TOKENIZERS, model, "tokenizer", Tokenizer)
    if "image_encoder" in names and "image_encoder" in model:
        tower = build_component(BACKBONES, model["image_encoder"], "model.image_encoder")
        given["image_encoder"] = checked_image_tower(tower, "model.image_encoder")
    if "text_encoder" in names and "text_encoder" in model:
        given["text_encoder"] = _component(BACKBONES, model, "text_encoder", TextTower)
    if "neck" in names and model.get("neck"):
        given["neck"] = _component(BACKBONES, model, "neck", Neck)
    _check_together(given)
    return given


def _check_together(given: Mapping[str, Any]) -> None:
    """Check that the components of a model fit each other.

    Raises:
        ConfigError: They do not.
    """
    towers = {f"model.{name}": given.get(name) for name in ("image_encoder", "text_encoder", "neck")}
    objectives = {
        f"model.{kind}.{key}": part for kind in ("losses", "heads") for key, part in given.get(kind, {}).items()
    }
    check_embedding_sizes(towers | objectives)
    if "tokenizer" in given:
        check_token_ids(towers | objectives, given["tokenizer"])
        if "text_encoder" in given:
            check_sentences(given["text_encoder"], given["tokenizer"])
    for place, objective in objectives.items():
        check_needs(objective, place, given.get("image_encoder"), given.get("text_encoder"))


def _component(registry: Registry, model: Mapping[str, Any], key: str, protocol: type) -> Any:
    """Build the component under ``model.KEY``."""
    place = f"model.{key}"
    return checked(build_component(registry, model[key], place), protocol, place)


def _build_objectives(
    model: Mapping[str, Any], kind: str, registry: Registry, protocol: type
) -> tuple[dict[str, nn.Module], dict[str, float]]:
    """Build the components under ``model.losses`` or ``model.heads``; return them and their weights by key."""
    entries = model.get(kind, {})
    if not isinstance(entries, Mapping):
        raise ConfigError(f"model.{kind} must be a dict, got {entries!r}")
    objectives, weights = {}, {}
    for key, entry in entries.items():
        if entry is None:  # left out, by `--cfg-options model.losses.KEY=None`
            continue
        if isinstance(entry, Mapping):
            entry = dict(entry)
            weight = entry.pop("weight", 1.0)
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not math.isfinite(weight):
                raise ConfigError(f"the weight of {key!r} must be a number, got {weight!r} (model.{kind}.{key}.weight)")
            weights[key] = float(weight)
        place = f"model.{kind}.{key}"
        objectives[key] = checked(build_component(registry, entry, place), protocol, place)
    return objectives, weights
