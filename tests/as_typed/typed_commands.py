"""A shell in which ``tipr-zoo`` and ``python`` begin at once.

A command of the zoo spends seconds on importing torch. Here one process has imported it, and makes a copy of itself for
each command that the shell starts: with the command's words, folder, environment and streams, so that pipes, globs,
quotes and exit codes are the shell's own.

Run as a program with the path of a socket, this file is that process.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import runpy
import signal
import site
import socket
import subprocess
import sys
import time
from pathlib import Path

EXTRA_SITE = "TYPED_EXTRA_SITE"
"""The environment variable with the folder that a page's ``pip`` installs into."""

_CLIENT = """#!{python} -IS
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect({address!r})
socket.send_fds(connection, [b"x"], [0, 1, 2])
connection.sendall(json.dumps([{program!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
connection.shutdown(socket.SHUT_WR)
sys.exit(int(connection.makefile().read() or 70))
"""


class CommandServer:
    """The process that commands are copied from.

    Args:
        folder: Where the programs ``tipr-zoo`` and ``python`` are written; its path is short, as sockets want it.
        environment: The environment of the process.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir(parents=True)
        address = str(folder / "socket")
        for program in ("tipr-zoo", "python"):
            file = self.programs / program
            file.write_text(_CLIENT.format(python=sys.executable, address=address, program=program))
            file.chmod(0o755)
        self.process = subprocess.Popen([sys.executable, __file__, address], env=environment, start_new_session=True)
        limit = time.monotonic() + 120
        while not os.path.exists(address):
            assert self.process.poll() is None, "the process that commands are copied from has ended"
            assert time.monotonic() < limit, "the process that commands are copied from has not begun"
            time.sleep(0.05)

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)  # with what was stopped by nobody
        self.process.wait()


def _serve(address: str) -> None:
    """Answer every connection by a copy of this process."""
    _import_what_is_slow()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address + ".new")
    listener.listen()
    listener.settimeout(1.0)
    parent = os.getppid()
    os.rename(address + ".new", address)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            if os.getppid() != parent:  # the tests were killed
                os.killpg(0, signal.SIGKILL)
            continue
        connection.setblocking(True)
        if os.fork():
            connection.close()
            continue
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _answer(connection)


def _import_what_is_slow() -> None:
    """Import what commands spend seconds on, some of which is imported only where it is used."""
    import matplotlib.pyplot
    import mmengine.runner
    import open_clip
    import timm

    import tipr_zoo

    del matplotlib, mmengine, open_clip, timm
    for module in pkgutil.walk_packages(tipr_zoo.__path__, "tipr_zoo."):
        if not {"__main__", "configs"} & set(module.name.split(".")):
            importlib.import_module(module.name)
    tipr_zoo.build("irra_vitb16_cuhk")
    tipr_zoo.cards.index.card_index.cache_clear()  # a page may install a plugin
    tipr_zoo.plugins.discovery.installed_plugins.cache_clear()
    importlib.invalidate_caches()


def _answer(connection: socket.socket) -> None:
    """Be the program that a connection asks for, and end."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115  # they stay open until the end
    sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, encoding="utf-8", buffering=1)  # noqa: SIM115
    with connection.makefile() as asked:
        program, words, folder, environment = json.load(asked)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if extra := os.environ.get(EXTRA_SITE):
        site.addsitedir(extra)
    code = 70
    try:
        code = _program(program, words)
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            connection.sendall(str(code).encode())
        os._exit(code)


def _program(program: str, words: list[str]) -> int:
    """Run ``tipr-zoo`` with some words, or ``python`` with a file or a module."""
    if program == "tipr-zoo":
        from tipr_zoo.command_line import main

        sys.argv = ["tipr-zoo", *words]
        return main()
    sys.path.insert(0, os.getcwd())
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    _serve(sys.argv[1])
