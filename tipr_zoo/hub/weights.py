"""Weights on the Hub, named ``hub:owner/name[@revision][:file]`` wherever a file of weights can be named."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tipr_zoo.cards.card import Weights
from tipr_zoo.cards.hub_reference import HubReference, is_hub_reference, parse_hub_reference
from tipr_zoo.cards.weights_check import check_file
from tipr_zoo.errors import CardError, HubError, WeightsError
from tipr_zoo.hub.card import load_hub_card
from tipr_zoo.hub.download import fetch_large_hub_file


def local_weights(weights: str | Path) -> Path:
    """The file on this machine that weights are in, fetched if they are on the Hub.

    Args:
        weights: A path, or ``hub:owner/name[@revision][:file]``.

    Raises:
        HubError: The Hub cannot be reached or does not give the file.
        WeightsError: It is not what the repository's card or the Hub's hash says.
    """
    return fetch_hub_weights(weights)[0] if is_hub_reference(weights) else Path(weights)


def pinned_weights(weights: str | Path) -> Path:
    """The name under which the same weights are found again: on the Hub, with the commit and the file.

    Args:
        weights: A path, which stays as it is, or ``hub:owner/name[@revision][:file]``.

    Returns:
        E.g. ``Path("hub:owner/name@<commit>:weights/mine.safetensors")``.
    """
    return Path(str(fetch_hub_weights(weights)[1])) if is_hub_reference(weights) else Path(weights)


def fetch_hub_weights(weights: str | Path) -> tuple[Path, HubReference]:
    """Weights on the Hub; where no file is named, those that the repository's card names, checked as it says.

    Args:
        weights: ``hub:owner/name[@revision][:file]``.

    Returns:
        The file, and the reference to it with the commit.

    Raises:
        ConfigError: `weights` has another form.
        HubError: The Hub cannot be reached or does not give a file.
        WeightsError: The repository's card names no weights, or they are not what it or the Hub's hash says.
    """
    return _fetch(parse_hub_reference(weights))


@cache  # a file is hashed once a process
def _fetch(reference: HubReference) -> tuple[Path, HubReference]:
    if reference.file is not None:
        return fetch_large_hub_file(reference)
    named = _weights_of_card(reference)
    path, pinned = fetch_large_hub_file(parse_hub_reference(named.location))
    check_file(path, named, advice=f"the card of {pinned.with_file(None)} speaks of another file; tell its owner")
    return path, pinned


def _weights_of_card(reference: HubReference) -> Weights:
    """What the card of a repository says of its weights, which are in the same repository."""
    advice = f"name the file: {reference}:FILE"
    try:
        weights = load_hub_card(reference).weights
    except CardError as error:
        raise WeightsError(
            f"{reference} has no card of the zoo that would name its weights ({error}); {advice}"
        ) from error
    if weights is None:
        raise WeightsError(f"the card of {reference} names no weights; {advice}")
    if not is_hub_reference(weights.location):
        raise HubError(f"the weights of {reference} are not on the Hub but at {weights.location}; {advice}")
    return weights
