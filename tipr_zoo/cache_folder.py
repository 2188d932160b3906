"""Where fetched weights and drawn data are kept."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from tipr_zoo.errors import ConfigError


def cache_folder() -> Path:
    """Return the cache folder: ``TIPR_ZOO_HOME``, else ``$XDG_CACHE_HOME/tipr_zoo``, else ``~/.cache/tipr_zoo``.

    A user without a home has a folder of his own among the temporary files.

    Raises:
        ConfigError: ``TIPR_ZOO_HOME`` begins with the home of nobody.
    """
    if home := os.environ.get("TIPR_ZOO_HOME"):
        try:
            return Path(home).expanduser()
        except RuntimeError as error:
            raise ConfigError(
                f"TIPR_ZOO_HOME is {home}, which begins with no known home; set the whole path"
            ) from error
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tipr_zoo"
    except RuntimeError:  # neither HOME nor an entry of the system says where the home is
        return _temporary_folder() / "tipr_zoo"


def has_home() -> bool:
    """Tell whether the cache folder is one that stays, and not among the temporary files."""
    if os.environ.get("TIPR_ZOO_HOME"):
        return True
    if folder := os.environ.get("XDG_CACHE_HOME"):
        return _is_home_known() or Path(folder) != _temporary_folder()
    return _is_home_known()


def name_a_cache_folder() -> None:
    """Say in the environment where caches lie, if there is no home: MMEngine's dependencies cannot be imported else."""
    if not _is_home_known() and not os.environ.get("XDG_CACHE_HOME"):
        os.environ["XDG_CACHE_HOME"] = str(_temporary_folder())


def _is_home_known() -> bool:
    try:
        Path.home()
    except RuntimeError:
        return False
    return True


@cache
def _temporary_folder() -> Path:
    """Return a folder that only this user can write: one of his number, or a new one where that is somebody else's.

    Where nothing can be written, it is one that cannot be made: a cache that cannot be kept costs only time.
    """
    import tempfile  # which takes longer than all else here, and few need it

    try:
        return _own_folder(Path(tempfile.gettempdir())) or Path(tempfile.mkdtemp(prefix="tipr_zoo-"))
    except OSError:
        return Path(os.devnull) / "tipr_zoo"


def _own_folder(place: Path) -> Path | None:
    """Return the folder of this user's number among the temporary files; None where it is somebody else's."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = place / f"tipr_zoo-{user}"
    with suppress(OSError):
        folder.mkdir(mode=0o700)
    with suppress(OSError):
        state = folder.lstat()
        is_own = not hasattr(os, "getuid") or state.st_uid == os.getuid()
        if stat.S_ISDIR(state.st_mode) and is_own and not state.st_mode & 0o022:
            return folder
    return None
