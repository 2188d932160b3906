"""The optimiser and its parameter groups."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError

OPTIMISERS = {"Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW, "SGD": torch.optim.SGD}


def parameter_groups(
    model: nn.Module, lr: float, weight_decay: float, multipliers: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Make one group for each parameter that learns, with its own rate and decay.

    Where several rules match, the last one counts, as in the official code of IRRA, SEN and RDE. First comes ``cross``,
    for names that contain it (cross-attention and the cross-modal transformer). Then comes ``bias``, for biases, which
    also lose their weight decay, whatever rule comes later. Then comes ``classifier``, for the identity classifier and
    the masked-language head, and last ``selection``, for token selection.

    Args:
        model: The model.
        lr: Base learning rate.
        weight_decay: Weight decay.
        multipliers: Factor of the rate by rule, ``cross``, ``bias``, ``classifier`` or ``selection``; a rule left
            out does nothing.

    Raises:
        UnknownNameError: There is no such rule.
    """
    rules = {
        "cross": ("cross",),
        "bias": ("bias",),
        "classifier": ("classifier", "mlm_head"),
        "selection": ("image_selection.", "text_selection."),
    }
    for rule in multipliers:
        if rule not in rules:
            raise unknown_name("rule of training.parameter_groups", rule, rules)
    groups = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        group = {"params": [parameter], "name": name, "lr": lr, "weight_decay": weight_decay, "rule": "base"}
        for rule, parts in rules.items():
            if rule in multipliers and any(part in name for part in parts):
                group["lr"], group["rule"] = lr * multipliers[rule], rule
                if rule == "bias":
                    group["weight_decay"] = 0.0
        group["initial_lr"] = group["lr"]
        groups.append(group)
    return groups


def build_optimiser(
    model: nn.Module, config: Mapping[str, Any], multipliers: Mapping[str, float]
) -> torch.optim.Optimizer:
    """Build the optimiser of a recipe.

    Args:
        model: The model.
        config: ``type`` (one of `OPTIMISERS`), ``lr``, ``weight_decay`` and whatever the optimiser takes.
        multipliers: See `parameter_groups`.

    Raises:
        UnknownNameError: There is no such optimiser or rule.
        ConfigError: An argument is missing or makes no sense.
    """
    arguments = dict(config)
    name = arguments.pop("type", "Adam")
    if name not in OPTIMISERS:
        raise unknown_name("optimiser", str(name), OPTIMISERS)
    if "lr" not in arguments:
        raise ConfigError("training.optimizer needs 'lr', the base learning rate")
    groups = parameter_groups(model, arguments["lr"], arguments.get("weight_decay", 0.0), multipliers)
    if name in ("Adam", "AdamW"):
        arguments.setdefault("fused", True)  # the same formula, reading and writing each parameter once
    known = [key for key in inspect.signature(OPTIMISERS[name]).parameters if key != "params"]
    for argument in arguments:
        if argument not in known:
            raise unknown_name(f"argument of the optimiser {name} (training.optimizer)", argument, known)
    try:
        return OPTIMISERS[name](groups, **arguments)
    except (TypeError, ValueError, LookupError) as error:
        raise ConfigError(f"training.optimizer: {error}") from error
