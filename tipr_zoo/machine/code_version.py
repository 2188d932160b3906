"""The version of the code that ran: of tipr-zoo, and the commit if it runs from a git checkout."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from tipr_zoo.version import __version__


@cache
def code_version() -> str:
    """Return the version, e.g. ``"0.1.0"``, or ``"0.1.0+g1a2b3c4d5e6f"`` from a git checkout.

    The part after the plus sign is the commit. The version ends in ``.dirty`` if files
    of the checkout differ from that commit.
    """
    folder = Path(__file__).parents[1]
    # tipr-zoo may be installed inside somebody's own repository. Then it runs no commit of that repository.
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return __version__
    commit = _git(folder, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    return f"{__version__}+g{commit.replace('-', '.')}" if commit else __version__


def _git(folder: Path, *words: str) -> str | None:
    """Return what git prints in a folder; None if there is no git, or if it fails."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, env=environment, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
