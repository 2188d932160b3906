"""Where fetched weights and drawn data are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the cache folder: ``TIPR_ZOO_HOME``, else ``$XDG_CACHE_HOME/tipr_zoo``, else ``~/.cache/tipr_zoo``."""
    if home := os.environ.get("TIPR_ZOO_HOME"):
        return Path(home).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tipr_zoo"
