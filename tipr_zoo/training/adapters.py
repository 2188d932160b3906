"""Adapters on the layers of both towers by peft: added before a training, saved apart, and merged at its end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, UnknownNameError, WeightsError
from tipr_zoo.outside.parsing import parse_json
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, Limits, Told
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.adapter_targets import TOWERS, named_layers
from tipr_zoo.training.settings import settings
from tipr_zoo.weights.header import read_metadata
from tipr_zoo.weights.opening import open_weights
from tipr_zoo.weights.tensors import first_of, write_weights

TYPES = ("lora",)
ADAPTER = "adapter"
"""The text in a header that says which adapters a file holds, as JSON."""

MERGED = "merged_adapter"
"""The same in a header of weights that they were merged into."""

_OF_ADAPTERS = (".lora_A.", ".lora_B.")
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def _must_be(what: str) -> str:
    return "training.adapters.{key} must be " + what + ", got {value!r}"


def _are_names(targets: object) -> bool:
    return isinstance(targets, (list, tuple)) and bool(targets) and all(isinstance(name, str) for name in targets)


def _is_share(value: float) -> bool:
    return 0 <= value < 1


_NAMES = "names of layers, e.g. ['qkv', 'q_proj', 'v_proj']"
_SHARE = _must_be("a number from 0 to below 1")


@dataclass(frozen=True, kw_only=True)
class Adapters(Declared):
    """``training.adapters``: low-rank adapters (LoRA, arXiv 2106.09685) on linear layers of the towers.

    Attributes:
        type: ``"lora"``.
        targets: Which layers: names, ends of names (``"qkv"``, ``"self_attn.q_proj"``), or patterns with stars.
        r: Rank.
        alpha: The product of both matrices is scaled by alpha / r; None for a scale of 1.
        dropout: Share of an adapter's input that training drops.
        train_base: Whether the towers' own weights learn as well. Heads, losses and neck always learn.
    """

    type: Annotated[str, Told(_must_be("the name of a kind, 'lora'"))] = "lora"
    targets: Annotated[Any, Check(_are_names, _must_be(_NAMES))] = ()
    r: Annotated[int, Limits(above=0), Told(_must_be("a whole number above 0"))] = 8
    alpha: Annotated[float, Limits(above=0), Told(_must_be("a number above 0, or None"))] | None = None
    dropout: Annotated[float, Check(_is_share, _SHARE), Told(_SHARE)] = 0.0
    train_base: Annotated[bool, Told(_must_be("True or False"))] = False


def adapter_settings(training: Mapping[str, Any]) -> Adapters | None:
    """Return the adapters of a recipe's ``training``; None where it has none.

    Raises:
        ConfigError: An entry makes no sense.
        UnknownNameError: There is no such entry or type.
    """
    if training.get("adapters") is None:
        return None
    found = settings(Adapters, training, "adapters")
    if found.type not in TYPES:
        raise unknown_name("type of adapters (training.adapters.type)", found.type, TYPES)
    if not found.targets:
        raise ConfigError(f"training.adapters.targets must be {_NAMES}, got {found.targets!r}")
    return found


def add_adapters(model: nn.Module, adapters: Adapters | None) -> None:
    """Put adapters on the layers that they name. They change nothing before they have learnt. One log line tells them.

    Args:
        model: A model with two towers; changed in place.
        adapters: Which; None for none.

    Raises:
        ConfigError: peft is missing, the model has adapters already, a layer is named twice or is no linear layer, or
            the rank is larger than a layer.
        UnknownNameError: No layer has such a name.
    """
    if adapters is None:
        return
    try:
        from peft import LoraConfig, inject_adapter_in_model  # not at the top: an extra, which may be absent
    except ImportError as error:
        raise ConfigError(
            "adapters need peft, which is not installed; run: pip install 'tipr-zoo[adapters]'"
        ) from error
    if any(name for name, _ in _adapted(model)):
        raise ConfigError("the model has adapters already; put all of them into one entry (training.adapters.targets)")
    layers = named_layers(model, adapters.targets)
    for name in layers:
        smaller = min(model.get_submodule(name).weight.shape)  # type: ignore[arg-type]  # a linear layer
        if adapters.r > smaller:
            raise ConfigError(
                f"training.adapters.r is {adapters.r}, more than {name} has on its smaller side: {smaller}"
            )
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    frozen = () if adapters.train_base else TOWERS
    alpha: Any = adapters.r if adapters.alpha is None else adapters.alpha  # peft says int, and takes any number
    config = LoraConfig(r=adapters.r, lora_alpha=alpha, lora_dropout=adapters.dropout, target_modules=layers)
    inject_adapter_in_model(config, model)
    count = 0
    for name, parameter in model.named_parameters():
        if any(part in name for part in _OF_ADAPTERS):
            count += parameter.numel()
        else:
            plain = plain_name(name)
            parameter.requires_grad_(plain in learning and not plain.startswith(frozen))
    told = f"LoRA of rank {adapters.r} on {len(layers)} layers: {count:,} numbers; the towers' own"
    logger.warning("%s %s", told, "learn as well" if adapters.train_base else "are frozen")


def plain_name(name: str) -> str:
    """Return the name that a tensor has without adapters."""
    return name.replace(".base_layer.", ".")


def base_sha256(model: nn.Module) -> str:
    """Compute the SHA-256 of the towers' own parameters, which says what adapters belong to."""
    found = hashlib.sha256()
    own = {plain_name(name): value for name, value in model.named_parameters() if not _is_of_adapters(name)}
    for name in sorted(name for name in own if name.startswith(TOWERS)):
        value = own[name].detach().cpu().contiguous()
        found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.view(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def save_adapters(model: nn.Module, adapters: Adapters, file: Path, about: Mapping[str, str]) -> None:
    """Write the adapters apart, with what else of frozen towers has changed: the statistics of normalisations.

    Args:
        model: It has the adapters.
        adapters: Which they are.
        file: Where to, as safetensors.
        about: Texts for the header. What base the adapters belong to is added.

    Raises:
        WriteError: The file cannot be written.
    """
    kept = saved_tensors(model)
    texts = {ADAPTER: json.dumps(asdict(adapters), sort_keys=True), "base_sha256": base_sha256(model)}
    write_weights(kept, file, {**about, **texts})


def saved_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return what `save_adapters` writes of a model that has adapters."""
    return {name: value for name, value in model.state_dict().items() if _is_saved(name)}


def load_adapters(model: nn.Module, file: Path) -> None:
    """Put saved adapters on the model that they belong to, without merging them.

    Args:
        model: The base: with the weights that the training started from. Changed in place, if everything fits.
        file: What `save_adapters` wrote.

    Raises:
        ConfigError: peft is missing, or the model has adapters already.
        WeightsError: The file holds no adapters of tipr-zoo's, or they belong to another base.
    """
    tensors, about = open_weights(file).tensors, read_metadata(file)
    adapters = _told_adapters(about, file)
    if (own := base_sha256(model)) != about.get("base_sha256"):
        raise WeightsError(
            f"{file} belongs to another base: to weights of {about.get('model')} with the hash"
            f" {str(about.get('base_sha256'))[:12]}, these have {own[:12]}; load what its training started from"
        )
    learning = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    try:
        add_adapters(model, adapters)
    except (ConfigError, UnknownNameError) as error:
        raise type(error)(f"adapters {file}: {error}") from error
    state = model.state_dict()
    wanted = {name for name in state if _is_saved(name)}
    problems = [f"{name} is missing" for name in sorted(wanted - tensors.keys())]
    problems += [f"{name} is left over" for name in sorted(tensors.keys() - wanted)]
    both = sorted(wanted & tensors.keys())
    problems += [f"{name} has another shape" for name in both if state[name].shape != tensors[name].shape]
    kinds = {name: (state[name].is_floating_point(), tensors[name].is_floating_point()) for name in both}
    problems += [f"{name} is {tensors[name].dtype}" for name in both if kinds[name][0] != kinds[name][1]]
    if problems:
        _take_away_adapters(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(learning[name])
        raise WeightsError(f"adapters {file} do not fit the model: {first_of(problems)}")
    model.load_state_dict(tensors, strict=False)  # what fits was checked above


def merge_adapters(model: nn.Module) -> None:
    """Add what adapters have learnt to the layers that they are on, and take them away: the model is a plain one."""
    for _, layer in _adapted(model):
        layer.merge()
    _take_away_adapters(model)


def _told_adapters(about: Mapping[str, str], file: Path) -> Adapters:
    """Return which adapters a file holds, as its header says.

    Raises:
        WeightsError: It does not say so, or something that makes no sense.
    """
    try:
        told = parse_json(about[ADAPTER])
    except (KeyError, TypeError, ValueError):
        raise WeightsError(f"{file} holds no adapters that tipr-zoo wrote: its header does not say which") from None
    try:
        adapters = adapter_settings({"adapters": told})
    except (ConfigError, UnknownNameError) as error:
        raise WeightsError(f"the header of {file} does not say which adapters it holds: {error}") from error
    if adapters is None:
        raise WeightsError(f"{file} holds no adapters that tipr-zoo wrote: its header says that there are none")
    return adapters


def _take_away_adapters(model: nn.Module) -> None:
    """Put the layers back that adapters are on, as these layers are."""
    for name, layer in list(_adapted(model)):
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, layer.get_base_layer())
    if hasattr(model, "peft_config"):
        del model.peft_config


def _is_of_adapters(name: str) -> bool:
    return any(part in name for part in _OF_ADAPTERS)


def _is_saved(name: str) -> bool:
    """Tell whether a tensor of the towers is saved with adapters; a teacher's copy of a tower is not."""
    return name.startswith(TOWERS) and (_is_of_adapters(name) or name.endswith(_STATISTICS))


def _adapted(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """List the layers that have adapters."""
    try:
        from peft.tuners.tuners_utils import BaseTunerLayer  # not at the top: few have it, and it loads for seconds
    except ImportError:
        return
    yield from ((name, layer) for name, layer in model.named_modules() if isinstance(layer, BaseTunerLayer))
