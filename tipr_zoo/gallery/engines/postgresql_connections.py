"""Connections to a PostgreSQL server: opened when needed, used by one thread at a time, and errors in one line."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.engines.server_address import ServerAddress

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

CONNECTING = 10
"""Seconds that connecting may take, where the address allows a request more."""

_OLDEST = (0, 8)
"""The version of pgvector that goes on through an index until enough rows fit a filter."""


class Connections:
    """The connections of one engine to its server.

    Args:
        address: Where the server is.
    """

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self._idle: list[Connection] = []
        self._lock = Lock()
        self._process = os.getpid()

    @contextmanager
    def transaction(
        self, begin: Callable[[Connection], None] | None = None, timeout: float | None = None
    ) -> Iterator[Connection]:
        """Give a connection inside a transaction: all that happens in the block is kept at its end, or nothing.

        Args:
            begin: What is asked first. Where the connection turns out to be dead then, as after a restart of the
                server, a new one is tried.
            timeout: Seconds for the block; 0 for any time. Those of the address by default.

        Raises:
            GalleryError: The server cannot be reached, is too slow, dies, or refuses.
        """
        import psycopg  # from an extra

        seconds = self.address.timeout if timeout is None else timeout
        connection, is_used = self._take()
        deadline = _Deadline(connection, seconds)
        try:
            try:
                self._begin(connection, begin, seconds)
            except psycopg.OperationalError:
                deadline.cancel()
                if not is_used or not connection.broken or deadline.has_passed:
                    raise
                self.close()  # the others are as dead
                connection, _ = self._take()
                deadline = _Deadline(connection, seconds)
                self._begin(connection, begin, seconds)
            yield connection
            connection.execute("COMMIT")
        except psycopg.Error as error:
            raise self._told(error, deadline.has_passed, seconds) from error
        finally:
            deadline.cancel()
            self._give_back(connection)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            with suppress(Exception):
                connection.close()

    def _take(self) -> tuple[Connection, bool]:
        """Return a connection, and whether it was used before."""
        with self._lock:
            if self._process != os.getpid():  # a forked process must not speak on its parent's connections
                self._idle, self._process = [], os.getpid()
            if self._idle:
                return self._idle.pop(), True
        return self._connect(), False

    def _connect(self) -> Connection:
        import psycopg  # from an extra
        from pgvector.psycopg import register_vector

        logging.getLogger("psycopg").setLevel(logging.CRITICAL + 1)  # it would print what is told in one line
        given: dict[str, Any] = {"host": self.address.host, **self.address.options}
        try:
            connection: Connection = psycopg.connect(
                **given,
                port=self.address.port,
                dbname=self.address.database,
                user=self.address.user or None,
                password=self.address.password or None,
                connect_timeout=max(2, round(min(CONNECTING, self.address.timeout))),
                application_name="tipr-zoo",
                autocommit=True,  # transactions are begun and ended in words
                client_encoding="utf8",
            )
        except psycopg.Error as error:
            raise self.address.error(_unreachable(error)) from error
        deadline = _Deadline(connection, self.address.timeout)
        try:
            _check_pgvector(connection, self.address)
            register_vector(connection)
        except psycopg.Error as error:
            connection.close()
            raise self._told(error, deadline.has_passed, self.address.timeout) from error
        except GalleryError:
            connection.close()
            raise
        finally:
            deadline.cancel()
        return connection

    def _begin(self, connection: Connection, begin: Callable[[Connection], None] | None, seconds: float) -> None:
        connection.execute("BEGIN")
        # What is acknowledged stays, whatever the server does by default.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(round(1000 * seconds))])
        if begin is not None:
            begin(connection)

    def _give_back(self, connection: Connection) -> None:
        with suppress(Exception):
            if not connection.closed and connection.info.transaction_status:  # 0 is idle
                connection.execute("ROLLBACK")
        with self._lock:
            if not connection.closed and self._process == os.getpid():
                self._idle.append(connection)
                return
        with suppress(Exception):
            connection.close()

    def _told(self, error: psycopg.Error, has_passed: bool, seconds: float) -> GalleryError:
        return self.address.error(_reason(error, has_passed, seconds, self.address))


class _Deadline:
    """Cuts a connection off after a time, so that a server that says nothing is not waited for."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.has_passed = False
        self._connection = connection
        self._timer = Timer(seconds + 1, self._cut)  # the server's own timeout comes first, and keeps the connection
        self._timer.daemon = True
        if seconds:
            self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()

    def _cut(self) -> None:
        self.has_passed = True
        with suppress(Exception), socket.socket(fileno=os.dup(self._connection.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)


def _check_pgvector(connection: Connection, address: ServerAddress) -> None:
    """Raise a GalleryError unless the database has pgvector, new enough; it is made where that is allowed."""
    import psycopg  # from an extra

    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if row is None:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.errors.UniqueViolation:  # another process has just done it
            pass
        except psycopg.Error as error:
            raise address.error(
                f"the database {address.database!r} has no pgvector ({_first_line(error)}); install it on the server,"
                " and let an administrator run CREATE EXTENSION vector there"
            ) from error
        return
    if tuple(int(part) for part in row[0].split(".")[:2]) < _OLDEST:
        raise address.error(f"pgvector is {row[0]}, and 0.8 is needed; run ALTER EXTENSION vector UPDATE")


def _unreachable(error: psycopg.Error) -> str:
    text = _first_line(error)
    fix = "start the server, or mend host and port"
    if "password" in text or "authentication" in text or "role" in text:
        fix = "mend the user, or give the password in PGPASSWORD or ~/.pgpass"
    elif "database" in text and "does not exist" in text:
        fix = "create it with createdb, or mend the name"
    elif "starting up" in text or "shutting down" in text or "too many" in text:
        fix = "try again a little later"
    return f"the server cannot be reached: {text}; {fix}"


def _reason(error: psycopg.Error, has_passed: bool, seconds: float, address: ServerAddress) -> str:
    import psycopg.errors as kinds  # from an extra

    text = _first_line(error)
    if has_passed or isinstance(error, kinds.QueryCanceled):
        return f"the server did not answer within {seconds:g} s; try again, or give it more with ?timeout=SECONDS"
    if isinstance(error, kinds.DiskFull | kinds.OutOfMemory):
        return f"the server has no room left: {text}; make some there. Nothing of this request is kept"
    if isinstance(error, kinds.InsufficientPrivilege):
        return (
            f"the server does not allow it: {text}; let its owner GRANT it, or use another user than {address.user!r}"
        )
    if isinstance(error, kinds.ReadOnlySqlTransaction):
        return "the server takes no writes, as a standby does; give the address of the primary"
    if isinstance(error, kinds.OperationalError | kinds.InterfaceError):
        return f"the connection broke off: {text}; nothing of this request is kept: try again once the server is there"
    return f"the server refuses: {text}; look for it in the server's log"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
