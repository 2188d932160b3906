"""What a safetensors file says of itself in its header."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors

from tipr_zoo.errors import WeightsError

_ENTRY = "tipr_zoo"


def header_entry(texts: dict[str, str]) -> dict[str, str] | None:
    """Return the header that holds these texts, as safetensors takes it; None where there are none.

    There is one entry: safetensors writes several in any order, and the same weights are to be the same bytes.
    """
    return {_ENTRY: json.dumps(texts, sort_keys=True)} if texts else None


def read_metadata(path: Path) -> dict[str, str]:
    """Read the texts in a file's header, e.g. ``{"seed": "0", "selected_on": "val"}``.

    Returns:
        The texts; none for a file without any, of another format, or that cannot be read.
    """
    try:
        return dict(json.loads(_entry(path)))
    except (OSError, ValueError, TypeError, RecursionError, safetensors.SafetensorError):
        return {}


def checked_metadata(path: Path) -> dict[str, str]:
    """Read the same of a safetensors file that can be read.

    Raises:
        WeightsError: What stands there was not written by tipr-zoo.
    """
    entry = _entry(path)
    try:
        texts = json.loads(entry)
    except (ValueError, RecursionError):
        texts = None
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        shown = entry if len(entry) <= 40 else entry[:40] + "..."
        raise WeightsError(
            f"weights {path}: the entry {_ENTRY!r} of the header must be texts by name, got {shown!r}; have their owner"
            " write them again, or save the tensors without a header"
        )
    return texts


def _entry(path: Path) -> str:
    with safetensors.safe_open(path, framework="pt") as file:
        return (file.metadata() or {}).get(_ENTRY, "{}")
