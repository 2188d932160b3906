"""Run one command in a forked process, and kill it at a moment."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import re
import signal
import sys
import time
import traceback
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LONGEST = 180.0
"""Seconds after which a command is taken for one that hangs."""

_HASHES: dict[tuple[str, int, int, int], str] = {}
"""Hash by path, size, time and number of a file."""

_OF_A_RUN = re.compile(rb'"(?:date|duration_seconds|from_cache)": (?:\[[^]]*\]|[^,}\n]*)')
"""What a record says of its own measuring: when, how long, and what needed not be embedded anew."""

_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.chown", "os.utime")
"""What Python tells its audit hooks before a file or a folder changes, beside ``open``."""


@dataclass(frozen=True)
class Moment:
    """When a command is killed.

    Attributes:
        kind: ``"time"``, ``"change"`` (before a change of a file) or ``"half"`` (in the middle of a write).
        at: Seconds after the beginning, or the number of the change or write, from 0.
        signal: What it gets.
    """

    kind: str
    at: float
    signal: int = signal.SIGKILL

    def __str__(self) -> str:
        when = f"after {self.at:.3f} s" if self.kind == "time" else f"{self.kind} {int(self.at)}"
        return f"{signal.Signals(self.signal).name} {when}"


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code; that of the signal, negative, where it was killed.
        seconds: How long it took.
        changes: What it changed, each with its file; empty where it was killed.
        writes: How many files it wrote as a whole.
        states: File and hash of everything that was there before any of the changes.
        modules: What it had imported.
        out: What it printed.
        err: What it printed on stderr.
    """

    code: int
    seconds: float
    out: str
    err: str
    changes: list[str] = field(default_factory=list)
    writes: int = 0
    states: set[tuple[str, str]] = field(default_factory=set)
    modules: list[str] = field(default_factory=list)


def run(words: Sequence[str], work: Path, moment: Moment | None = None, is_watched: bool = False) -> Ended:
    """Run a command in a process of its own, with `work` as its present folder and a cache below it.

    Args:
        words: The words after ``tipr-zoo``.
        work: Where it runs.
        moment: When to kill it.
        is_watched: Whether to note the state of all files before every change.

    Raises:
        TimeoutError: It hangs, or processes that it began go on without it.
    """
    files = {name: work.parent / name for name in ("out", "err", "result")}
    for file in files.values():
        file.unlink(missing_ok=True)
        file.touch()
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        _child(words, work, moment, is_watched, writing, files)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    code, seconds = _wait(process, moment if moment is not None and moment.kind == "time" else None)
    _wait_for_session(process)
    out, err = (files[name].read_text(encoding="utf-8", errors="replace") for name in ("out", "err"))
    result = json.loads(files["result"].read_text() or "{}")
    states = {(name, digest) for name, digest in result.pop("states", [])}
    return Ended(code, seconds, out, err, states=states, **result)


def state(work: Path) -> dict[str, str]:
    """Return the hash of every file below a folder by its path."""
    found = {}
    for folder, _, names in os.walk(work):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                path = Path(folder, name)
                is_now = path.stat()
                known = (str(path), is_now.st_size, is_now.st_mtime_ns, is_now.st_ino)
                if known not in _HASHES:
                    _HASHES[known] = content_sha256(path)
                found[path.relative_to(work).as_posix()] = _HASHES[known]
    return found


def content_sha256(path: Path) -> str:
    """Hash the content of a file, but for the times that a record or a checkpoint holds."""
    content = path.read_bytes()
    if path.suffix == ".npz":
        content = _unpacked(path) or content
    elif path.suffix == ".pth":
        content = _entries(path) or content
    elif path.suffix == ".json":
        content = re.sub(_OF_A_RUN, b"", content)
    return hashlib.sha256(content).hexdigest()


def _unpacked(path: Path) -> bytes | None:
    """Return what an archive holds without the times of its writing; None where it is none."""
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return b"".join(name.encode() + archive.read(name) for name in sorted(archive.namelist()))
    return None


def _entries(checkpoint: Path) -> bytes | None:
    """Return what a checkpoint holds but for its name and times; None where it cannot be read as a whole."""
    import torch

    try:
        return b"".join(_flat(torch.load(checkpoint, weights_only=True)))
    except Exception:
        return None


def _flat(value: Any, name: str = "") -> Iterator[bytes]:
    import torch

    if isinstance(value, dict):
        for key in value:
            if key not in ("experiment_name", "time", "seconds"):
                yield from _flat(value[key], f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _flat(part, f"{name}.{number}")
    else:
        is_tensor = isinstance(value, torch.Tensor)
        yield name.encode() + (value.numpy().tobytes() if is_tensor else repr(value).encode())


def _wait(process: int, moment: Moment | None) -> tuple[int, float]:
    """Wait for a process, and kill it when its time has come."""
    started, is_killed = time.monotonic(), False
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        seconds = time.monotonic() - started
        if found:
            return os.waitstatus_to_exitcode(status), seconds
        if moment is not None and not is_killed and seconds >= moment.at:
            os.kill(process, moment.signal)
            is_killed = True
        if seconds > LONGEST:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            raise TimeoutError("it hangs")
        time.sleep(0.001)


def _wait_for_session(process: int) -> None:
    """Wait for the processes that a process has begun. They must not go on for long without it."""
    deadline = time.monotonic() + 30
    while left := _session(process):
        if time.monotonic() > deadline:
            for other in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(other, signal.SIGKILL)
            raise TimeoutError(f"{len(left)} processes that it began go on without it")
        time.sleep(0.02)


def _session(leader: int) -> list[int]:
    """Return the processes of a session that are no zombies."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit() and int(name) != leader:
            with contextlib.suppress(OSError, IndexError):
                parts = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
                if int(parts[3]) == leader and parts[0] != "Z":
                    found.append(int(name))
    return found


def _child(
    words: Sequence[str], work: Path, moment: Moment | None, is_watched: bool, ready: int, files: dict[str, Path]
) -> None:
    """Run the command in the process that was just forked; never return."""
    code = 70
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        atexit._clear()  # what the parent has to do at its end is not for this process
        os.chdir(work)
        os.environ |= {"TIPR_ZOO_HOME": str(work / "home"), "OMP_NUM_THREADS": "1"}
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(files["out"], os.O_WRONLY), 1)
        os.dup2(os.open(files["err"], os.O_WRONLY), 2)
        sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = sys.__stderr__ = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        watch = _Watch(work, moment, is_watched)
        sys.addaudithook(watch.event)
        watch.watch_writes()
        os.write(ready, b"x")
        code = _main(words)
        watch.is_on = False
        result = {"changes": watch.changes, "writes": watch.writes, "modules": list(sys.modules)}
        files["result"].write_text(json.dumps(result | {"states": sorted(watch.states)}))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _main(words: Sequence[str]) -> int:
    from tipr_zoo.command_line import main

    try:
        sys.argv = ["tipr-zoo", *words]
        code = main()
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 1
    atexit._run_exitfuncs()
    return code


class _Watch:
    """Counts the changes of files below a folder, and kills this process before one of them."""

    def __init__(self, work: Path, moment: Moment | None, is_watched: bool) -> None:
        self.work, self.moment, self.is_watched = str(work), moment, is_watched
        self.changes: list[str] = []
        self.writes = 0
        self.states: set[tuple[str, str]] = set()
        self.is_on = True

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Take what Python tells its audit hooks."""
        if not self.is_on or not (name in _CHANGES or name == "open"):
            return
        if name == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        path = arguments[0]
        if isinstance(path, int) or not os.path.abspath(os.fsdecode(path)).startswith(self.work):
            return
        self._change(f"{name} {os.path.relpath(os.fsdecode(path), self.work)}")

    def watch_writes(self) -> None:
        """Count what is written in one piece, and kill in the middle of it; before the disk has it, too."""
        write_bytes, fsync = Path.write_bytes, os.fsync

        def half(path: Path, content: bytes) -> int:
            self.writes += 1
            if self.moment is not None and (self.moment.kind, self.moment.at + 1) == ("half", self.writes):
                write_bytes(path, content[: len(content) // 2])
                os.kill(os.getpid(), self.moment.signal)
            return write_bytes(path, content)

        def sync(descriptor: int) -> None:
            self._change("fsync")
            fsync(descriptor)

        Path.write_bytes = half  # type: ignore[method-assign, assignment]
        os.fsync = sync  # type: ignore[assignment]

    def _change(self, what: str) -> None:
        self.changes.append(what)
        if self.moment is not None and (self.moment.kind, self.moment.at + 1) == ("change", len(self.changes)):
            os.kill(os.getpid(), self.moment.signal)
        if self.is_watched:
            self.is_on = False
            self.states |= set(state(Path(self.work)).items())
            self.is_on = True
