"""The groups of parameters that an optimiser is given: each with its own rate and decay, or frozen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError
from tipr_zoo.models.recipe_schema import ParameterPattern
from tipr_zoo.training.adapters import plain_name
from tipr_zoo.training.loop.epoch_figures import BASE_RULE
from tipr_zoo.training.loop.tower_blocks import blocks_of, towers_of

PATTERNS = "training.parameter_patterns"

RULES = {
    "cross": ("cross",),
    "bias": ("bias",),
    "classifier": ("classifier", "mlm_head"),
    "selection": ("image_selection.", "text_selection."),
}
"""The rules of ``training.parameter_groups`` in their order: parts of names, one of which a parameter's name has."""


def parameter_groups(
    model: nn.Module,
    lr: float,
    weight_decay: float,
    multipliers: Mapping[str, float],
    patterns: Iterable[Mapping[str, Any]] = (),
    layer_decay: float | None = None,
) -> list[dict[str, Any]]:
    """Make one group for each parameter that learns, with its own rate and decay.

    Where several rules match, the last one counts, as in the official code of IRRA, SEN and RDE. First comes ``cross``,
    for names that contain it (cross-attention and the cross-modal transformer). Then comes ``bias``, for biases, which
    also lose their weight decay, whatever rule comes later. Then comes ``classifier``, for the identity classifier and
    the masked-language head, and last ``selection``, for token selection. What a pattern says counts before all rules.
    The decay by layers multiplies the rate that rules and patterns give.

    Args:
        model: The model.
        lr: Base learning rate.
        weight_decay: Weight decay.
        multipliers: Factor of the rate by rule, one of `RULES`; a rule left out does nothing.
        patterns: The recipe's ``training.parameter_patterns``.
        layer_decay: See `layer_factors`; None for none.

    Raises:
        UnknownNameError: There is no such rule, or a pattern matches nothing.
        ConfigError: Two patterns match one parameter, or a pattern or the decay by layers makes no sense.
    """
    for rule in multipliers:
        if rule not in RULES:
            raise unknown_name("rule of training.parameter_groups", rule, RULES)
    matched = matched_patterns(model, patterns)
    factors = {} if layer_decay is None else layer_factors(model, layer_decay)
    groups = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        group: dict[str, Any] = {"params": [parameter], "name": name, "lr": lr, "weight_decay": weight_decay}
        group["rule"] = BASE_RULE
        for rule, parts in RULES.items():
            if rule in multipliers and any(part in name for part in parts):
                group["lr"], group["rule"] = lr * multipliers[rule], rule
                if rule == "bias":
                    group["weight_decay"] = 0.0
        pattern = matched.get(name)
        if pattern is not None and pattern.rate is not None:
            group["lr"], group["rule"] = lr * pattern.rate, pattern.pattern
        if pattern is not None and pattern.weight_decay is not None:
            group["weight_decay"] = pattern.weight_decay
        group["lr"] *= factors.get(name, 1.0)
        group["initial_lr"] = group["lr"]
        groups.append(group)
    return groups


def freeze_parameters(model: nn.Module, patterns: Iterable[Mapping[str, Any]]) -> None:
    """Take the parameters of frozen patterns out of learning. Batch normalisations still see the training's pictures.

    Args:
        model: The model, with all that a training adds to it; changed in place.
        patterns: The recipe's ``training.parameter_patterns``.

    Raises:
        UnknownNameError: A pattern matches nothing.
        ConfigError: Two patterns match one parameter, a pattern changes nothing, or nothing is left that learns.
    """
    matched = matched_patterns(model, patterns)
    parameters = dict(model.named_parameters())
    for pattern in dict.fromkeys(matched.values()):
        learns = any(parameters[name].requires_grad for name in matched if matched[name] == pattern)
        if not learns and not pattern.frozen:
            raise ConfigError(
                f"{PATTERNS}: {pattern.pattern!r} matches only parameters that do not learn; leave it out, or name"
                " others"
            )
    for name, pattern in matched.items():
        if pattern.frozen:
            parameters[name].requires_grad_(False)
    if matched and not any(parameter.requires_grad for parameter in parameters.values()):
        told = ", ".join(repr(pattern.pattern) for pattern in dict.fromkeys(matched.values()) if pattern.frozen)
        raise ConfigError(f"{PATTERNS} freezes every parameter ({told}), so there is nothing to train; let some learn")


def matched_patterns(model: nn.Module, patterns: Iterable[Mapping[str, Any]]) -> dict[str, ParameterPattern]:
    """Find the pattern of each parameter that has one.

    A pattern matches the whole name of a parameter. Of a layer that has an adapter, it may be the name without it.

    Args:
        model: The model.
        patterns: The recipe's ``training.parameter_patterns``.

    Returns:
        The pattern by the parameter's name.

    Raises:
        UnknownNameError: A pattern matches nothing.
        ConfigError: Two patterns match one parameter, or one says nothing, or two things that exclude each other.
    """
    names = [name for name, _ in model.named_parameters()]
    matched: dict[str, ParameterPattern] = {}
    for entry in patterns:
        pattern = ParameterPattern(**entry)
        text, says_more = pattern.pattern, pattern.rate is not None or pattern.weight_decay is not None
        if pattern.frozen and says_more:
            raise ConfigError(f"{PATTERNS}: {text!r} is frozen, so it has no rate and no weight_decay; leave these out")
        if not pattern.frozen and not says_more:
            raise ConfigError(f"{PATTERNS}: {text!r} changes nothing; give it a rate, a weight_decay or frozen=True")
        found = [name for name in names if fnmatchcase(name, text) or fnmatchcase(plain_name(name), text)]
        if not found:
            raise _no_parameter(text, names)
        for name in found:
            if name in matched:
                raise ConfigError(
                    f"{PATTERNS}: {matched[name].pattern!r} and {text!r} both match {name}; a parameter has one pattern"
                )
            matched[name] = pattern
    return matched


def layer_factors(model: nn.Module, decay: float) -> dict[str, float]:
    """Return the factor of the rate of each parameter of the towers by layer-wise decay (BEiT, arXiv 2106.08254).

    What comes after a tower's last block keeps its rate, the last block has `decay` times its rate, the block before it
    decay^2 times, and so on; what comes before the first block counts as one block more.

    Args:
        model: A model with two towers that have ``blocks``.
        decay: Factor from one block to the one before it.

    Raises:
        ConfigError: It has no towers, or a tower does not say what its blocks are.
    """
    factors: dict[str, float] = {}
    for tower_name, tower in towers_of(model, "training.layer_decay").items():
        blocks = blocks_of(tower, tower_name, "training.layer_decay")
        number = {id(parameter): index for index, block in enumerate(blocks) for parameter in block.parameters()}
        is_before = True
        for name, parameter in tower.named_parameters():
            index = number.get(id(parameter))
            is_before = is_before and index is None
            outside = len(blocks) + 1 if is_before else 0
            factors[f"{tower_name}.{name}"] = decay ** (outside if index is None else len(blocks) - index)
    return factors


def _no_parameter(pattern: str, names: list[str]) -> Exception:
    """Make the error for a pattern that matches nothing, with names and beginnings of names close to it."""
    places = {".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 1)}
    ends = {".".join(name.split(".")[-depth:]) for name in names for depth in (1, 2, 3)}
    known = {f"{place}.*" for place in places} | {f"*.{end}" for end in ends} if "*" in pattern else set(names)
    tops = ", ".join(sorted({name.split(".")[0] for name in names}))
    return unknown_name(f"parameter ({PATTERNS})", pattern, known, f"the parameters' names begin with {tops}")
