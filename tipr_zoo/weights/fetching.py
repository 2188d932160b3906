"""The file of a model's weights: fetched once, and checked against its size and hash."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.cards.card import ModelCard, Weights
from tipr_zoo.cards.hub_reference import is_hub_reference
from tipr_zoo.cards.weights_check import check_file
from tipr_zoo.errors import WeightsError, WriteError
from tipr_zoo.hub.weights import fetch_hub_weights
from tipr_zoo.machine.result_place import make_folder
from tipr_zoo.machine.whole_file import CHUNK, whole_file
from tipr_zoo.terminal.progress_bar import ProgressBar
from tipr_zoo.terminal.suggested_command import quoted


def fetch_weights(card: ModelCard) -> Path:
    """Return the local file of a card's weights, fetched if need be, with its size and hash checked.

    A remote file is checked before it becomes one of the cache folder. A file that fails the check never gets there.

    Raises:
        WeightsError: The card has no weights, or they are missing, unreachable, truncated or of another hash.
        HubError: They are on the Hub, and it cannot be reached or does not give them.
    """
    weights = card.weights
    if weights is None:
        raise WeightsError(f"no weights of {card.name} are published; see `tipr-zoo info {quoted(card.name)}`")
    if is_hub_reference(weights.location):
        return _fetch_from_hub(weights)
    if not weights.is_remote:
        path = card.path.parent / weights.location
        if not path.is_file():
            raise WeightsError(f"weights of {card.name} are missing: {path}; reinstall what brings {card.path}")
        check_file(path, weights, advice=f"reinstall what brings {card.path}")
        return path
    path = cache_folder() / "weights" / f"{weights.sha256}.{weights.format}"
    if path.is_file():
        check_file(path, weights, advice=f"delete {path} to fetch it again")
        return path
    try:
        make_folder(path.parent)
        with whole_file(path) as part:
            _download(weights.location, part, weights.size)
            check_file(part, weights, advice=f"what {weights.location} serves is not what the card names")
    except WriteError as error:
        raise WeightsError(
            f"weights of {card.name} cannot be kept in {path}: {error.strerror}; make room there, or set TIPR_ZOO_HOME"
            " to a folder that can be written"
        ) from error
    return path


def _fetch_from_hub(weights: Weights) -> Path:
    """Fetch the file that a card's ``hub:owner/name@revision:file`` names."""
    path, reference = fetch_hub_weights(weights.location)
    check_file(path, weights, advice=f"what {reference} serves is not what the card names")
    return path


def _download(url: str, path: Path, size: int) -> None:
    """Fetch `url` into `path` with a progress bar on stderr; reading ends soon after `size` bytes."""
    received = 0
    with (
        path.open("wb") as file,
        ProgressBar(total=size, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[-1]) as bar,
    ):
        for chunk in _chunks(url):
            file.write(chunk)
            received += len(chunk)
            bar.update(len(chunk))
            if received > size:
                return


def _chunks(url: str) -> Iterator[bytes]:
    """Yield what `url` serves, piece by piece."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            while chunk := response.read(CHUNK):
                yield chunk
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise WeightsError(
            f"weights cannot be fetched from {url}: {error}; fetch them by hand, pass weights=FILE"
        ) from error
