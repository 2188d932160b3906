"""Requests to a Milvus server: each with its time, and errors in one line."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from tipr_zoo.gallery.engines.server_address import ServerAddress

MOST_RESULTS = 16_384
"""Rows that Milvus gives in one answer."""

CONNECTING = 10
"""Seconds that connecting may take, where the address allows a request more."""

SCHEMES = {"milvus+http": "http", "milvus+https": "https"}
"""Beginnings of addresses, and what the client is told."""

_STRONG = "Strong"
"""A request waits until all is to be seen that was written before it, by whomever."""

_NO_COLLECTION = 100


class MilvusRequests:
    """Sends requests to the server at an address. Threads may share it; a forked process connects anew.

    Args:
        address: Where the server is.
    """

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self._client: Any = None
        self._process = 0
        self._lock = Lock()

    def send(self, request: str, *arguments: Any, timeout: float | None = None, **named: Any) -> Any:
        """Send a request, and return its answer.

        Args:
            request: Name of the method of pymilvus' client.
            *arguments: Its arguments.
            timeout: Seconds that it may take; those of the address by default.
            **named: Its arguments by name.

        Raises:
            GalleryError: The server cannot be reached, is too slow, dies, or refuses.
        """
        from pymilvus.exceptions import MilvusException  # from an extra

        seconds = self.address.timeout if timeout is None else timeout
        client = self._connected()
        try:
            return getattr(client, request)(*arguments, timeout=seconds, **named)
        except MilvusException as error:
            raise self.address.error(_reason(error.code, str(error.message), seconds)) from error
        except Exception as error:  # of gRPC, which pymilvus hands on
            raise self.address.error(_reason(0, f"{type(error).__name__}: {error}", seconds)) from error

    def query(
        self, collection: str, wanted: str, fields: Sequence[str], limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return fields of rows, in no order.

        Args:
            collection: Where.
            wanted: Which rows, in Milvus' words; an empty text for all.
            fields: Names of the fields.
            limit: At most so many; None for all.
        """
        given = {} if limit is None else {"limit": limit}
        answer = self.send(
            "query", collection, filter=wanted, output_fields=list(fields), consistency_level=_STRONG, **given
        )
        return [dict(row) for row in answer]

    def count(self, collection: str, wanted: str = "") -> int:
        """Count rows.

        Args:
            collection: Where.
            wanted: Which rows, in Milvus' words; an empty text for all.
        """
        return int(self.query(collection, wanted, ["count(*)"])[0]["count(*)"])

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None and self._process == os.getpid():
            with suppress(Exception):
                client.close()

    def _connected(self) -> Any:
        """Return a client of a server that is there: gRPC itself would try for the whole timeout where none is."""
        seconds = min(CONNECTING, self.address.timeout)
        try:
            socket.create_connection((self.address.host, self.address.port), seconds).close()
        except OSError as error:
            raise self.address.error(
                f"the server cannot be reached: {error.strerror or error}; start it, or mend host and port"
            ) from error
        with self._lock:
            if self._client is None or self._process != os.getpid():
                self._client, self._process = self._connect(seconds), os.getpid()
            return self._client

    def _connect(self, seconds: float) -> Any:
        import pymilvus  # from an extra
        from pymilvus.exceptions import MilvusException

        for name in ("pymilvus", "pymilvus.milvus_client"):  # it would print each error, with a traceback
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        try:
            return pymilvus.MilvusClient(
                f"{SCHEMES[self.address.scheme]}://{host}:{self.address.port}",
                token=f"{self.address.user}:{self.address.password}" if self.address.user else _token(),
                db_name=self.address.options.get("database", ""),
                timeout=seconds,
                dedicated=True,
            )
        except MilvusException as error:
            raise self.address.error(_reason(error.code, str(error.message), seconds)) from error
        except Exception as error:  # of gRPC, which pymilvus hands on
            raise self.address.error(_reason(0, f"{type(error).__name__}: {error}", seconds)) from error


def _token() -> str:
    """Return the token of the environment, so that a password need not stand in an address."""
    return os.environ.get("MILVUS_TOKEN", "")


def _reason(code: int, text: str, seconds: float) -> str:
    """Say in one line what failed, and what to do."""
    plain = " ".join(text.split())[:300]
    said = plain.lower()
    if code == _NO_COLLECTION or "can't find collection" in said or "collection not found" in said:
        return "the gallery is not there any more, or another one is under this name; open it anew, or create it"
    if "auth" in said or "unauthenticated" in said or "permission" in said:
        return f"the server does not allow it: {plain}; mend user and password, or give USER:PASSWORD in MILVUS_TOKEN"
    if any(word in said for word in ("quota", "no space", "memory limit", "insufficient")):
        return f"the server has no room left: {plain}; make some there"
    if any(word in said for word in ("deadline", "retry timeout", "timed out", "timeout")):
        return f"the server did not answer within {seconds:g} s; try again, or give it more with ?timeout=SECONDS"
    if "not loaded" in said or "not fully loaded" in said:
        return f"the gallery is being loaded or indexed: {plain}; try again a little later"
    if any(word in said for word in ("unavailable", "fail connecting", "offline", "no available", "lack", "shard")):
        return f"the server, or a part of its cluster, is gone: {plain}; try again once it is there"
    return f"the server refuses: {plain}; look for it in the server's log"
