"""From the address of a gallery to the engine that keeps it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import GalleryError
from tipr_zoo.protocols.engines import Engine
from tipr_zoo.registries import ENGINES

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def engine_of(address: str | os.PathLike[str]) -> type[Engine]:
    """Return the engine that an address is of.

    Args:
        address: A folder, or e.g. ``postgresql://host/database``.

    Raises:
        GalleryError: No engine has such addresses, or it is none.
    """
    _check_address(address)
    engines: list[type[Engine]] = [ENGINES.get(name) for name in ENGINES.names()]
    match = None if isinstance(address, Path) else _SCHEME.match(os.fspath(address))
    wanted = match[1].lower() if match else ""
    for engine in engines:
        if wanted in engine.scheme or (not wanted and not engine.scheme):
            return engine
    known = [scheme for engine in engines for scheme in engine.scheme]
    raise GalleryError(str(unknown_name("kind of address", f"{wanted}://", [f"{scheme}://" for scheme in known])))


def is_folder(address: str | os.PathLike[str]) -> bool:
    """Tell whether an address is a folder on disk.

    Raises:
        GalleryError: It is no address.
    """
    _check_address(address)
    return isinstance(address, Path) or not _SCHEME.match(os.fspath(address))


def _check_address(address: object) -> None:
    if not isinstance(address, str | os.PathLike):
        raise GalleryError(f"the address of a gallery is text or a path, got a {type(address).__name__}")
