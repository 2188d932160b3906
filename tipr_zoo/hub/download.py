"""Files of the Hub. Those in its cache on this machine are not fetched again."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tipr_zoo.cards.hub_reference import HubReference
from tipr_zoo.errors import WeightsError
from tipr_zoo.hub.client import hub_client, hub_errors
from tipr_zoo.outside.files import file_sha256
from tipr_zoo.terminal.log import logger

_SHA256 = re.compile(r"[0-9a-f]{64}")


def fetch_hub_file(reference: HubReference) -> tuple[Path, HubReference]:
    """Fetch a file of a repository.

    A branch or a tag is resolved to its current commit. One log line a revision names the commit. In offline mode, or
    where the Hub cannot be reached, it is the commit of the last time that the Hub was asked.

    Args:
        reference: The repository and a file of it.

    Returns:
        The file in huggingface_hub's cache, and the reference with the commit of that file.

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
    """Fetch a large file, such as weights. The Hub keeps it under its SHA-256, and that hash is compared.

    Raises:
        WeightsError: The content does not have the Hub's hash. The file is removed from the cache.
        HubError: See `fetch_hub_file`.
    """
    path, pinned = fetch_hub_file(reference)
    if not path.is_symlink():  # on a system without symbolic links, the cache does not keep the hash
        return path, pinned
    # The link's direct target has the Hub's hash as its name. It may itself be a link into a store with other names.
    blob = path.parent / path.readlink()
    # huggingface_hub compares only the size.
    if _SHA256.fullmatch(blob.name) and (sha256 := file_sha256(path)) != blob.name:
        path.unlink()
        blob.unlink(missing_ok=True)
        raise WeightsError(
            f"{pinned} has sha256 {sha256}, the Hub says {blob.name}; it was taken out of the cache, fetch it again"
        )
    return path, pinned


def _commit_of(path: Path, file: str) -> str:
    """Return the commit that a file of the cache belongs to. The file lies in ``snapshots/<commit>/<file>``."""
    return path.parents[file.count("/")].name


@cache
def _log_resolution(floating: str, pinned: str) -> None:
    """Log once a process which commit a revision is."""
    logger.warning("%s is %s now; name the commit to get the same again", floating, pinned)
