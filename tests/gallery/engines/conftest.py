"""Places for galleries on real servers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from engine_servers import ServerMissingError, shared_server


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, so that ``make test-servers`` runs all of it, and nothing else."""
    for item in items:
        if {"postgresql_place", "milvus_place"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")


def _place(kind: str, factory: pytest.TempPathFactory) -> Callable[[], str]:
    """What gives the address of a place where no gallery is, each time another one."""
    folder = Path(factory.getbasetemp())
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    try:
        server = shared_server(kind, folder)
    except ServerMissingError as missing:
        reason = f"{kind.upper()} IS NOT TRIED: {missing}"
        if os.environ.get("TIPR_ZOO_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return lambda: f"{server}try_{uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def postgresql_place(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Addresses in a PostgreSQL that is shared by all tests of the run."""
    return _place("postgresql", tmp_path_factory)


@pytest.fixture(scope="session")
def milvus_place(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Addresses in a Milvus that is shared by all tests of the run."""
    return _place("milvus", tmp_path_factory)
