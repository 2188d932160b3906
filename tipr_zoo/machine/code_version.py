"""Which code ran: the version of tipr-zoo, and the commit where it runs from a git checkout."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from tipr_zoo.version import __version__


@cache
def code_version() -> str:
    """The version, e.g. ``"0.1.0"``; from a checkout ``"0.1.0+g1a2b3c4d5e6f"``, which ends in ``.dirty`` where files
    of the checkout differ from that commit."""
    folder = Path(__file__).parents[1]
    # Who installed tipr-zoo into an environment inside a repository of their own runs no commit of that repository.
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return __version__
    commit = _git(folder, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    return f"{__version__}+g{commit.replace('-', '.')}" if commit else __version__


def _git(folder: Path, *words: str) -> str | None:
    """What git says in a folder; None where there is no git, or it has nothing to say."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, env=environment, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
