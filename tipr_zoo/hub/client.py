"""The only access to huggingface_hub, and its errors in one line each.

The library is imported only when the Hub is needed. It reads its own settings: the Hub's address (``HF_ENDPOINT``),
the token (``HF_TOKEN`` or ``hf auth login``), the cache (``HF_HOME``) and offline mode (``HF_HUB_OFFLINE``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tipr_zoo.errors import HubError as HubError
from tipr_zoo.errors import MissingHubFileError as MissingHubFileError
from tipr_zoo.errors import TiprZooError
from tipr_zoo.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LOGIN = "log in with `hf auth login`, or set HF_TOKEN"


def hub_client() -> HfApi:
    """Return a client of the Hub that says who is asking."""
    from huggingface_hub import HfApi  # not at the top: see the module

    return HfApi(library_name="tipr-zoo", library_version=__version__)


def is_offline() -> bool:
    """Tell whether ``HF_HUB_OFFLINE`` forbids to ask the Hub."""
    from huggingface_hub import constants  # not at the top: see the module

    return bool(constants.HF_HUB_OFFLINE)


@contextmanager
def hub_errors(place: str) -> Iterator[None]:
    """Turn every error of the client inside the block into a `HubError` of one line.

    Args:
        place: What was asked for, e.g. ``"hub:owner/name:README.md"``.

    Raises:
        HubError: The client raised an error. `MissingHubFileError` where the Hub does not have the file.
    """
    try:
        yield
    except TiprZooError:
        raise
    except (
        Exception
    ) as error:  # the client raises whatever its HTTP library does, and that differs between its versions
        kind = MissingHubFileError if _is_missing_file(error) else HubError
        raise kind(f"{place}: {_reason(error)}") from error


def _is_missing_file(error: Exception) -> bool:
    """Tell whether the Hub was asked and does not have the file."""
    from huggingface_hub import errors  # not at the top: see the module

    return isinstance(error, errors.EntryNotFoundError) and not isinstance(error, errors.LocalEntryNotFoundError)


def _reason(error: Exception) -> str:
    """Return what went wrong and what to do, by the kind of the client's error."""
    from huggingface_hub import errors  # not at the top: see the module

    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    if isinstance(error, errors.GatedRepoError):
        return f"the repository is gated; ask for access on its page, then {LOGIN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the Hub has no such revision; check what stands after @"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the Hub has no such repository, or it is private; check owner/name, or {LOGIN}"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return _not_at_hand(error)
    if _is_missing_file(error):
        return "the repository has no such file; check what stands after :"
    if status == 401:
        return f"the Hub does not know who is asking; {LOGIN}"
    if status == 403:
        return f"the token does not allow this ({_said(error)}); use one with the permission (HF_TOKEN)"
    if status is not None:
        return f"the Hub answers {status} ({_said(error)})"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "offline mode is on; unset HF_HUB_OFFLINE to ask the Hub"
    return f"the Hub cannot be asked: {type(error).__name__}: {_said(error)}"


def _not_at_hand(error: Exception) -> str:
    """Tell why a file is not in the cache and cannot be fetched."""
    if is_offline():
        return "not in the local cache, and offline mode is on; unset HF_HUB_OFFLINE once to fetch it"
    cause = error.__cause__
    because = f" ({type(cause).__name__}: {_said(cause)})" if cause is not None else ""
    return f"the Hub cannot be reached{because}, and the file is not in the local cache; check the network, HF_ENDPOINT"


def _said(error: BaseException) -> str:
    """Return the message of an error in one line, in the Hub's own words where it has some."""
    words = getattr(error, "server_message", None) or str(error)
    text = " ".join(words.split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
