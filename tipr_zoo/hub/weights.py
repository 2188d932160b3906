"""Weights on the Hub. ``hub:owner/name[@revision][:file]`` can stand for any file of weights."""

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
    """Return the file of weights on this machine. Fetch it if it is on the Hub.

    Args:
        weights: A path, or ``hub:owner/name[@revision][:file]``.

    Raises:
        HubError: The Hub cannot be reached or does not give the file.
        WeightsError: The file does not agree with the repository's card or with the Hub's hash, or `weights` names no
            file.
    """
    if not isinstance(weights, (str, Path)):
        raise WeightsError(
            f"weights are named by a path or by hub:owner/name[@revision][:file], not by a {type(weights).__name__}"
        )
    return fetch_hub_weights(weights)[0] if is_hub_reference(weights) else Path(weights)


def pinned_weights(weights: str | Path) -> Path:
    """Return the name under which the same weights are found again. On the Hub, it has the commit and the file.

    Args:
        weights: ``hub:owner/name[@revision][:file]``, or a path. A path stays as it is.

    Returns:
        E.g. ``Path("hub:owner/name@<commit>:weights/mine.safetensors")``.
    """
    return Path(str(fetch_hub_weights(weights)[1])) if is_hub_reference(weights) else Path(weights)


def fetch_hub_weights(weights: str | Path) -> tuple[Path, HubReference]:
    """Fetch weights from the Hub.

    Where no file is named, they are the weights that the repository's card names. They are then checked by the card.

    Args:
        weights: ``hub:owner/name[@revision][:file]``.

    Returns:
        The file, and the reference to it with the commit.

    Raises:
        ConfigError: `weights` has another form.
        HubError: The Hub cannot be reached or does not give a file.
        WeightsError: The repository's card names no weights, or they do not agree with it or with the Hub's hash.
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
    """Return what the card of a repository says of its weights. They must be in the same repository."""
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
