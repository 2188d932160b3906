"""Files of the Hub, from its cache on this machine where they are there."""

from __future__ import annotations

import logging
import re
from functools import cache
from pathlib import Path

from tipr_zoo.cards.hub_reference import HubReference
from tipr_zoo.errors import WeightsError
from tipr_zoo.hub.client import hub_client, hub_errors
from tipr_zoo.machine.whole_file import file_sha256

logger = logging.getLogger("tipr_zoo")

_SHA256 = re.compile(r"[0-9a-f]{64}")


def fetch_hub_file(reference: HubReference) -> tuple[Path, HubReference]:
    """A file of a repository.

    A branch or a tag is resolved to the commit that it is now; one log line a revision says which. In offline mode, or
    where the Hub cannot be reached, the commit is the one that it was when it was last asked.

    Args:
        reference: With a file.

    Returns:
        The file in huggingface_hub's cache, and the reference with the commit that it was taken from.

    Raises:
        HubError: The Hub cannot be reached and the file is not in the cache, or the Hub does not have or give it.
    """
    assert reference.file is not None
    with hub_errors(str(reference)):
        path = Path(hub_client().hf_hub_download(reference.repository, reference.file, revision=reference.revision))
    pinned = reference.at(_commit_of(path, reference.file))
    if not reference.is_pinned:
        _log_resolution(str(reference.with_file(None)), str(pinned.with_file(None)))
    return path, pinned


def fetch_large_hub_file(reference: HubReference) -> tuple[Path, HubReference]:
    """The same for a file that the Hub keeps under its SHA-256, such as weights; that hash is compared.

    Raises:
        WeightsError: The content is not what the Hub's hash says. It is taken out of the cache.
        HubError: See `fetch_hub_file`.
    """
    path, pinned = fetch_hub_file(reference)
    if not path.is_symlink():  # where there are no symbolic links, the cache does not keep the hash
        return path, pinned
    # The link's own target, named by the hash that the Hub gave; it may be a link into a store with names of its own.
    blob = path.parent / path.readlink()
    # huggingface_hub itself compares the size alone.
    if _SHA256.fullmatch(blob.name) and (sha256 := file_sha256(path)) != blob.name:
        path.unlink()
        blob.unlink(missing_ok=True)
        raise WeightsError(
            f"{pinned} has sha256 {sha256}, the Hub says {blob.name}; it was taken out of the cache, fetch it again"
        )
    return path, pinned


def _commit_of(path: Path, file: str) -> str:
    """The commit that a file of the cache belongs to: it lies in ``snapshots/<commit>/<file>``."""
    return path.parents[file.count("/")].name


@cache
def _log_resolution(floating: str, pinned: str) -> None:
    """Say once a process which commit a revision is."""
    logger.warning("%s is %s now; name the commit to get the same again", floating, pinned)
