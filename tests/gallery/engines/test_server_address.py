"""Addresses of galleries on servers: what is wrong is told in one line, and a password never is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tipr_zoo.errors import GalleryError
from tipr_zoo.protocols import Engine
from tipr_zoo.registries import ENGINES

POSTGRESQL = "postgresql://zoo:s3cret/w@rd@127.0.0.1:1/people/crops"


def opened(address: str) -> Engine:
    kind: type[Engine] = ENGINES.get("milvus" if address.startswith("milvus") else "postgresql")
    return kind.open(address)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://", "a name is missing"),
        ("postgresql://127.0.0.1", "a name is missing"),
        ("postgresql://127.0.0.1/people", "a name is missing"),
        ("postgresql://127.0.0.1/people/", "a name is missing"),
        ("postgresql://127.0.0.1//crops", "a name is missing"),
        ("postgresql://127.0.0.1/people/crops/more", "a name is missing or left over"),
        ("postgresql://127.0.0.1/people/crops#part", "a name is missing or left over"),
        ("postgresql://127.0.0.1:port/people/crops", "host or port cannot be read"),
        ("postgresql://127.0.0.1:99999/people/crops", "host or port cannot be read"),
        ("postgresql://[::1/people/crops", "host or port cannot be read"),
        ("postgresql://127.0.0.1/people/crops-2026", "try crops_2026"),
        ("postgresql://127.0.0.1/people/2026", "try g2026"),
        ("postgresql://127.0.0.1/people/" + "x" * 41, "at most 40 letters"),
        ("postgresql://127.0.0.1/people/%22%3B%20DROP%20SCHEMA%20public", "letters, digits and _"),
        ("postgresql://127.0.0.1/people/ünï", "letters, digits and _"),
        ("postgresql://127.0.0.1/people/crops\n", "must be percent-encoded"),
        ("postgresql://127.0.0.1/peo ple/crops", "must be percent-encoded"),
        ("postgresql://127.0.0.1/people/crops?tiemout=3", "did you mean 'timeout'?"),
        ("postgresql://127.0.0.1/people/crops?timeout=0", "seconds above 0"),
        ("postgresql://127.0.0.1/people/crops?timeout=-3", "seconds above 0"),
        ("postgresql://127.0.0.1/people/crops?timeout=soon", "seconds above 0"),
        ("milvus+http://", "a name is missing"),
        ("milvus+http:///crops", "the host is missing"),
        ("milvus+http://127.0.0.1/people/crops", "a name is missing or left over"),
        ("milvus+http://127.0.0.1/crops?sslmode=disable", "unknown option 'sslmode'"),
        ("postgresql://127.0.0.1:1/people/crops", "the server cannot be reached"),
        ("postgresql://no-such-host.invalid/people/crops", "the server cannot be reached"),
        ("milvus+http://127.0.0.1:1/crops", "the server cannot be reached"),
        ("milvus+http://no-such-host.invalid/crops", "the server cannot be reached"),
        (
            "postgresql://zoo:s3cret@127.0.0.1:1/people/crops",
            "postgresql://zoo:***@127.0.0.1:1/people/crops: the server",
        ),
        (POSTGRESQL, "%2F"),
        ("postgresql://zoo:s3cret@127.0.0.1:port/people/crops", "host or port"),
        ("postgresql://127.0.0.1/people/crops?password=s3cret", "unknown option 'password'"),
        ("milvus+http://root:s3cret@127.0.0.1:1/crops", "milvus+http://root:***@127.0.0.1:1/crops: the server"),
        ("milvus+https://root:s3%23cret@127.0.0.1:1/crops", "root:***@"),
    ],
)
def test_a_wrong_address_is_told_in_one_line_without_its_password(address: str, said: str) -> None:
    with pytest.raises(GalleryError) as raised:
        opened(address)
    message = str(raised.value)
    assert said in message
    assert "s3" not in message
    assert "\n" not in message


def test_listing_engines_imports_no_library_of_a_server() -> None:
    code = (
        "import sys\nfrom tipr_zoo.registries import ENGINES\n"
        "assert {'postgresql', 'milvus'} <= set(ENGINES.names())\n"
        "assert not {'psycopg', 'pgvector', 'pymilvus', 'grpc', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    ("address", "package", "extra"),
    [
        ("postgresql://127.0.0.1/people/crops", "psycopg", "pgvector"),
        ("milvus+http://127.0.0.1/crops", "pymilvus", "milvus"),
    ],
)
def test_a_missing_library_is_told_with_what_brings_it(
    address: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tipr_zoo.gallery.engines.installed_client.find_spec", lambda name: None)
    with pytest.raises(GalleryError, match=rf"needs {package}; pip install 'tipr-zoo\[{extra}\]'"):
        opened(address)
