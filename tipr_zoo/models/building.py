"""From a name to a model: card, plugin, recipe, registries, weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.hub_reference import is_hub_reference
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.hub.weights import local_weights
from tipr_zoo.machine.devices import usable_device
from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.models.clip_weights import is_plain_clip, load_clip_tensors
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.objective_setup import without_set_up
from tipr_zoo.models.resolved_model import ResolvedModel, resolve_card
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.models.weights_origin import other_model
from tipr_zoo.terminal.log import logger
from tipr_zoo.terminal.suggested_command import quoted
from tipr_zoo.weights.fetching import fetch_weights
from tipr_zoo.weights.opening import open_weights
from tipr_zoo.weights.recognition import WeightsKind
from tipr_zoo.weights.tensors import load_tensors

IDENTITIES = "model.heads.id.num_identities"
"""The entry of a recipe that follows what the weights were trained on, unless it is overridden."""


_NARROWEST = 8
"""Numbers that an identity classifier has for each identity, at least."""


def build(
    name: str,
    pretrained: bool = False,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    overrides: Mapping[str, Any] | None = None,
) -> BuiltModel:
    """Build a model of the zoo by name.

    Args:
        name: A name that ``tipr-zoo list`` shows; or ``"hub:owner/name[@revision]"`` for a model whose card is the
            README.md of a repository on the Hugging Face Hub. Such a model is built with the weights that its card
            names. The plugin and the recipe that the card names must be installed: nothing of the repository is
            executed.
        pretrained: Load the weights that the model's card names.
        weights: Load this file instead: safetensors, a PyTorch checkpoint, or ``"hub:owner/name[@revision][:file]"``.
            Heads are for training. The file may lack some; then the model is built without them. It may have others
            than the model; those are left in the file. One log line says so. A model that is CLIP as it is, such as
            ``clip_vitb16``, also takes CLIP's weights as OpenAI, open_clip or transformers save them.
        device: Where the model is to live, e.g. ``"cpu"`` or ``"cuda"``.
        overrides: Entries of the recipe to change, by dotted name, e.g. ``{"model.heads.id.num_identities": 100}``.

    Returns:
        The model, in eval mode: a `DualEncoder`, or the `tipr_zoo.protocols.Retriever` that the recipe's ``model.type``
        names. Without weights they are random, and one log line says so.

    Raises:
        UnknownNameError: No such model, component or recipe entry.
        PluginError: The model's plugin is missing or broken.
        WeightsError: `pretrained` where none are published, or weights that are damaged or do not fit.
        CardError: The model's card is malformed.
        HubError: The Hub cannot be reached, or does not have or give what was asked for.
        ConfigError: The recipe makes no sense, both `pretrained` and `weights` are given, or there is no such device.
    """
    if not isinstance(pretrained, bool):
        raise ConfigError(f"pretrained must be True or False, got {pretrained!r}; weights=FILE names a file")
    if pretrained and weights is not None:
        raise ConfigError("give either pretrained=True or weights=FILE, not both")
    if str(device) != "meta":  # where tensors have no values, as is wanted there
        device = usable_device(device, 'try device="cpu"')
    card = load_card(name)
    if is_hub_reference(name) and weights is None:
        pretrained = pretrained or card.weights is not None  # a repository is named for what it holds
    if pretrained:
        check_has_weights(card, name)
    resolved = resolve_card(card, overrides, name)
    if not pretrained and weights is None:
        logger.warning("%s: weights are random; pass pretrained=True or weights=FILE to load some", name)
        return cast(BuiltModel, build_retriever(resolved.recipe.model).to(device).eval())
    file = fetch_weights(card) if weights is None else local_weights(weights)
    return cast(BuiltModel, build_with_weights(resolved, file, is_own=weights is None).to(device).eval())


def check_has_weights(card: ModelCard, name: str) -> None:
    """Check that a card names weights.

    Args:
        card: The model's card.
        name: The name that it was found by.

    Raises:
        WeightsError: It names none.
    """
    if card.weights is None:
        raise WeightsError(
            f"no weights of {name} are published, so pretrained=True cannot load any; train it with"
            f" `tipr-zoo train {quoted(name)}`, or pass weights=FILE (--weights FILE)"
            + (f" (its card: {card.weights_note.removeprefix('None: ')})" if card.weights_note else "")
        )


def build_with_weights(
    resolved: ResolvedModel, file: Path, is_own: bool, sha256: Callable[[], str] | None = None
) -> DualEncoder:
    """Build a model and load a file of weights into it.

    Args:
        resolved: The model. Its identity classifier gets as many identities as the weights have, unless an override
            says how many.
        file: The weights, on this machine.
        is_own: Whether they are those of the model's card. Those have every head that the recipe has.
        sha256: Gives the file's hash, where the caller needs it as well.

    Raises:
        WeightsError: The weights are damaged or do not fit.
        ConfigError: The recipe makes no sense.
        UnknownNameError: No such component.
    """
    entry = resolved.copied_recipe().model
    opened = open_weights(file)
    tensors = opened.tensors
    owner = None if is_own else other_model(file, opened.header, resolved, sha256)
    classifier = tensors.get("heads.id.classifier.weight")
    # A classifier of no width would cost nothing in the file, and any amount of memory in the model.
    fits = classifier is not None and classifier.ndim == 2 and classifier.shape[1] >= _NARROWEST
    if classifier is not None and fits and IDENTITIES not in resolved.overrides:
        fit_identities(entry, len(classifier), file, logging.INFO)
    model = build_retriever(entry)
    if opened.recognised.kind in (WeightsKind.CLIP, WeightsKind.HUGGING_FACE_CLIP) and is_plain_clip(model):
        place = f"CLIP weights {file}"
        loaded = load_clip_tensors(model, tensors, place)
        is_changed = loaded.grids[0] != loaded.grids[1] or loaded.activations
        logger.log(logging.WARNING if is_changed else logging.INFO, "%s: %s", place, loaded)
        return model
    if not is_own:
        tensors = _leave_out_heads(model, without_set_up(model, tensors, file), file)
    load_tensors(model, tensors, file, owner)
    if owner is not None:
        own = resolved.name
        logger.warning(
            "%s: these weights are of %s, not of %s: what they give is no result of %s", file, owner, own, own
        )
    return model


def fit_identities(model: Any, count: int, source: object, level: int) -> None:
    """Give the identity classifier as many classes as there are identities to tell apart, and say so.

    Args:
        model: The ``model`` entry of a recipe; changed in place. Without an identity classifier nothing happens.
        count: Number of identities.
        source: What has that many: a file of annotations or of weights.
        level: Level of the log line.

    Raises:
        ConfigError: The recipe names no number of identities.
    """
    heads = model.get("heads")
    head = heads.get("id") if isinstance(heads, Mapping) else None
    # What is no dict is told where it is built.
    if isinstance(head, Mapping) and head.get("num_identities") != count:
        named = head.get("num_identities", count)
        if isinstance(named, bool) or not isinstance(named, int) or named < 1:
            raise ConfigError(f"{IDENTITIES} must be a whole number above 0, got {named!r}")
        logger.log(level, "id head: %d identities, as in %s", count, source)
        head["num_identities"] = count  # type: ignore[index]  # Mapping has no item assignment, a recipe's dicts have


def _leave_out_heads(model: DualEncoder, tensors: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Agree on the heads, which are for training. One log line says what is left out.

    Heads that a file has nothing of are taken out of the model. Heads that the model lacks are left in the file.

    Returns:
        The tensors without those of left-out heads.
    """
    if not isinstance(getattr(model, "heads", None), nn.ModuleDict):
        return tensors  # a retriever whose losses are its own matter
    own = {name.split(".")[1] for name in model.state_dict() if name.startswith("heads.")}
    given = {name.split(".")[1] for name in tensors if name.startswith("heads.")}
    for key in own - given:
        del model.heads[key]
    if own - given:
        absent = ", ".join(sorted(own - given))
        logger.warning("%s: has no weights of the heads %s; the model is built without them", file, absent)
    if given - own:
        logger.warning("%s: its heads %s are left out, the model has none", file, ", ".join(sorted(given - own)))
    return {
        name: value for name, value in tensors.items() if not name.startswith("heads.") or name.split(".")[1] in own
    }
