"""Paths as somebody wrote them, with ``~`` for a home."""

from __future__ import annotations

import os
from pathlib import Path

from tipr_zoo.errors import ConfigError


def whole_path(path: str | os.PathLike[str]) -> Path:
    """Return a path in which ``~`` is the folder that it stands for.

    Args:
        path: A path as somebody wrote it.

    Raises:
        ConfigError: There is no such home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        start = Path(path).parts[0]
        raise ConfigError(f"{path}: nobody knows the home that {start} stands for; write the whole path") from error
