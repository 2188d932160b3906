"""Run a server that listens on every address where there is no address but a loopback, and pass connections on to it.

``python loopback_namespace.py INNER_PORT STATE COMMAND...`` listens on a free port of 127.0.0.1, which it writes to the
file STATE, goes into a network namespace of its own, runs the command there, and hands each connection to INNER_PORT
there. It ends with the command, and ends the command where its own stdin is closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def enter() -> None:
    """Go into a namespace whose one interface is a loopback; raises OSError where that is not allowed."""
    library = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    flags = CLONE_NEWNET if user == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if library.unshare(flags):
        raise OSError(ctypes.get_errno(), f"no network namespace is allowed here: {os.strerror(ctypes.get_errno())}")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        before = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", before | IFF_UP))


def pass_on(connection: socket.socket, port: int) -> None:
    """Hand what comes in to the port inside, and what that answers back."""
    try:
        inner = socket.create_connection(("127.0.0.1", port), 5)
        inner.settimeout(None)
    except OSError:
        connection.close()
        return
    for pair in ((connection, inner), (inner, connection)):
        threading.Thread(target=_copy, args=pair, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def main() -> int:
    port, state, command = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    outer = socket.create_server(("127.0.0.1", 0))  # it stays outside, whatever namespace its process is in
    enter()
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)

    def end(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        os._exit(1)

    def accept() -> None:
        while True:
            pass_on(outer.accept()[0], port)

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=accept, daemon=True).start()
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), end()), daemon=True).start()
    state.with_suffix(".new").write_text(f"{outer.getsockname()[1]} {server.pid}")
    state.with_suffix(".new").replace(state)
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
