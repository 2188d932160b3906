"""The heads of a model that is made from an official checkpoint: given its sizes, or left out where they do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import HEADS
from tipr_zoo.weights.official_sizes import listed
from tipr_zoo.weights.official_tensors import COUNTER


def fit_heads(
    model: dict[str, Any],
    sizes: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    places: Mapping[str, str],
    num_identities: int | None,
) -> dict[str, str]:
    """Give a model the sizes of a checkpoint, and take away heads that the checkpoint has no fitting weights for.

    Args:
        model: The ``model`` entry of a recipe; changed in place.
        sizes: What the method's reader says of all but the towers.
        tensors: Those of the checkpoint, by official name.
        places: The zoo's name of every tensor that is no tower's, by official name.
        num_identities: How many identities the classifier is to have; None for as many as the checkpoint knows.

    Returns:
        Why each of the other heads was taken away, by its key.
    """
    for key, value in sizes.items():
        if key != "heads":
            model[key] = {**model[key], **value} if isinstance(value, Mapping) and key in model else value
    heads: dict[str, dict[str, Any]] = model.get("heads") or {}
    dropped: dict[str, str] = {}
    for key in list(heads):
        start = f"heads.{key}."
        own = {zoo.removeprefix(start): name for name, zoo in places.items() if zoo.startswith(start)}
        try:
            heads[key] = _sized(heads[key], sizes.get("heads", {}).get(key, {}), own, num_identities)
            _check_parameters(heads[key], own, tensors)
        except _DoesNotFitError as error:
            dropped[key] = str(error)
            del heads[key]
    return dropped


class _DoesNotFitError(Exception):
    """A head has no fitting weights in a checkpoint."""


def _sized(
    entry: Mapping[str, Any], sizes: Mapping[str, Any] | str, own: Mapping[str, str], num_identities: int | None
) -> dict[str, Any]:
    """Return a head's entry with the checkpoint's sizes.

    Raises:
        _DoesNotFitError: The reader says why it cannot be, or it is of other identities than are asked for.
    """
    if isinstance(sizes, str):
        raise _DoesNotFitError(sizes)
    sized = {**entry, **sizes}
    count = sized.get("num_identities")
    if own and num_identities is not None and count not in (None, num_identities):
        raise _DoesNotFitError(f"the checkpoint has {count} identities, not {num_identities}")
    return sized


def _check_parameters(entry: Mapping[str, Any], own: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    """Check that a head can be made of these tensors.

    Args:
        entry: Its entry in the recipe.
        own: The official name of each of its parameters, by its name in the head.
        tensors: Those of the checkpoint, by official name.

    Raises:
        _DoesNotFitError: It cannot.
    """
    try:
        with torch.device("meta"):
            head = HEADS.build({name: value for name, value in entry.items() if name != "weight"})
    except ConfigError as error:  # for example pictures that SEN's restoration cannot cut into patches
        raise _DoesNotFitError(str(error) if own else "the checkpoint has no weights of it") from error
    parameters = {name: value for name, value in head.state_dict().items() if not name.endswith(COUNTER)}
    if parameters and not own:
        raise _DoesNotFitError("the checkpoint has no weights of it")
    if missing := [name for name in parameters if name not in own]:
        raise _DoesNotFitError(f"the checkpoint lacks {listed(missing)}")
    for name, parameter in parameters.items():
        if (shape := tuple(tensors[own[name]].shape)) != (expected := tuple(parameter.shape)):
            raise _DoesNotFitError(f"{own[name]} has shape {shape}, but the other tensors make it {expected}")
