"""A relay before a server, which can be cut off, or hold back whatever is sent: a server that is gone, or too slow."""

from __future__ import annotations

import contextlib
import socket
import threading
import time


class StallingRelay:
    """Passes connections to ``127.0.0.1:port`` on to a server on another port of this machine."""

    def __init__(self, server_port: int) -> None:
        self.server_port, self.stalls = server_port, False
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accept()

    def cut(self) -> None:
        """Close every connection, and take no more."""
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def restore(self) -> None:
        """Take connections again, on the same port."""
        self.stalls = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accept()

    def _accept(self) -> None:
        def run(listener: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while True:
                    self._pass_on(listener.accept()[0])

        threading.Thread(target=run, args=[self._listener], daemon=True).start()

    def _pass_on(self, outer: socket.socket) -> None:
        inner = socket.create_connection(("127.0.0.1", self.server_port))
        self._open += [outer, inner]
        for pair in ((outer, inner), (inner, outer)):
            threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                while self.stalls:
                    time.sleep(0.01)
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
