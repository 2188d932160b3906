"""A PostgreSQL that asks for a password: the right one is taken, no message shows any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from engine_servers import PostgreSQLServer

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.engines import PostgreSQLEngine
from tipr_zoo.testing.engine_rows import DIMENSION, sample_rows, unit_vectors

PASSWORD = "right & $ecret/@:"


@pytest.fixture(scope="module")
def server(postgresql_place: Callable[[], str]) -> Iterator[PostgreSQLServer]:
    """A server that asks for a password."""
    server = PostgreSQLServer(PASSWORD)
    yield server
    server.stop()


def with_password(server: PostgreSQLServer, word: str) -> str:
    return f"postgresql://zoo{word}@127.0.0.1:{server.port}/people/crops"


def test_the_right_one_is_taken_from_the_address_and_from_the_environment(
    server: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = PostgreSQLEngine.create(with_password(server, f":{quote(PASSWORD, safe='')}"), "{}", DIMENSION)
    engine.add(sample_rows(5), unit_vectors(5))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert PostgreSQLEngine.open(with_password(server, "")).count() == 5


@pytest.mark.parametrize("word", ["", ":", ":wrong%20one", ":right"])
def test_another_is_told_and_never_shown(server: PostgreSQLServer, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with pytest.raises(GalleryError, match="password") as raised:
        PostgreSQLEngine.open(with_password(server, word))
    message = str(raised.value)
    assert "\n" not in message
    assert not any(secret in message for secret in ("wrong", "right", "ecret"))
