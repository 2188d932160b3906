"""Whether the libraries are installed that speak to a server."""

from __future__ import annotations

from importlib.util import find_spec

from tipr_zoo.gallery.engines.server_address import ServerAddress


def check_client(address: ServerAddress, extra: str, *packages: str) -> None:
    """Raise a GalleryError that says what to install, where a library is missing.

    Args:
        address: The address that needs it.
        extra: The extra of tipr-zoo that brings it.
        *packages: Names that are imported.
    """
    for package in packages:
        if find_spec(package) is None:
            raise address.error(f"this engine needs {package}; pip install 'tipr-zoo[{extra}]'")
