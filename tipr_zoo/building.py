"""From a name to a model: card, plugin, recipe, registries, weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tipr_zoo.card_index import load_card
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.plugins import import_plugin
from tipr_zoo.preprocessing import ImageNormalisation
from tipr_zoo.recipe import load_recipe
from tipr_zoo.registries import BACKBONES, HEADS, LOSSES, TOKENIZERS
from tipr_zoo.weights import fetch_weights, load_weights

logger = logging.getLogger("tipr_zoo")


def build(
    name: str,
    pretrained: bool = False,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    overrides: Mapping[str, Any] | None = None,
) -> DualEncoder:
    """Build a model of the zoo by name.

    Args:
        name: A name that ``tipr-zoo list`` shows.
        pretrained: Load the weights that the model's card names.
        weights: Load this file instead; safetensors or a PyTorch checkpoint.
        device: Where the model is to live.
        overrides: Entries of the recipe to change, by dotted name, e.g. ``{"model.heads.id.num_identities": 100}``.

    Returns:
        The model, in eval mode. Without weights they are random, and one log line says so.

    Raises:
        UnknownNameError: No such model, component or recipe entry.
        PluginError: The model's plugin is missing or broken.
        WeightsError: `pretrained` where none are published, or weights that are damaged or do not fit.
        ConfigError: The recipe makes no sense.
    """
    if pretrained and weights is not None:
        raise ConfigError("give either pretrained=True or weights=FILE, not both")
    card = load_card(name)
    if pretrained and card.weights is None:
        raise WeightsError(
            f"no weights of {name} are published, so pretrained=True cannot load any; {card.weights_note or ''}"
            f" Train it with `tipr-zoo train {name}`, or pass weights=FILE"
        )
    if card.plugin is not None:
        import_plugin(card.plugin)
    recipe = load_recipe(card, overrides)
    model = build_dual_encoder(recipe.model)
    if pretrained:
        load_weights(model, fetch_weights(card))
    elif weights is not None:
        load_weights(model, Path(weights))
    else:
        logger.warning("%s: weights are random; pass pretrained=True or weights=FILE to load some", name)
    return model.to(device).eval()


def build_dual_encoder(model: Mapping[str, Any]) -> DualEncoder:
    """Make a model from the ``model`` entry of a recipe.

    Args:
        model: ``image_encoder``, ``text_encoder`` and ``tokenizer``, each a dict with ``type``; ``losses`` and
            ``heads``, dicts of such dicts by the key that `DualEncoder.loss` returns, each with an optional ``weight``;
            ``mean`` and ``std`` of the pictures, CLIP's where left out.
    """
    parts, loss_weights = {}, {}
    for kind, registry in {"losses": LOSSES, "heads": HEADS}.items():
        configs = {key: dict(config) for key, config in model.get(kind, {}).items()}
        loss_weights |= {key: float(config.pop("weight", 1.0)) for key, config in configs.items()}
        parts[kind] = {key: registry.build(config) for key, config in configs.items()}
    if both := set(parts["losses"]) & set(parts["heads"]):
        raise ConfigError(f"losses and heads share the key {sorted(both)[0]!r}; rename one of them")
    return DualEncoder(
        image_encoder=BACKBONES.build(model["image_encoder"]),
        text_encoder=BACKBONES.build(model["text_encoder"]),
        tokenizer=TOKENIZERS.build(model["tokenizer"]),
        losses=parts["losses"],
        heads=parts["heads"],
        loss_weights=loss_weights,
        normalisation=ImageNormalisation(**{key: tuple(model[key]) for key in ("mean", "std") if key in model}),
    )
