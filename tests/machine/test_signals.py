"""Commands that are ended from outside: in order where they can be, and without harm where they cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tipr_zoo.errors import Interrupted
from tipr_zoo.machine.signals import kept_interruption, raised_signals
from tipr_zoo.machine.whole_file import is_part

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")

DEADLINE = 120.0
"""Seconds to wait for what must come; only a failing test waits that long."""

DRAW = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
DRAW += "from tipr_zoo.command_line import main; sys.exit(main())"


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


@contextmanager
def drawing(folder: Path, workers: int) -> Iterator[subprocess.Popen[str]]:
    """A process that draws more pictures than it will ever come to, and has drawn some."""
    words = ["data", "synth", str(folder), "--train", "4000", "--workers", str(workers)]
    with subprocess.Popen([sys.executable, "-c", DRAW, *words], stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: list(folder.glob("imgs/train/*.jpg")) or process.poll() is not None)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_command_that_is_ended_says_so_and_leaves_no_part(name: str, code: int, tmp_path: Path) -> None:
    with drawing(tmp_path, workers=1) as process:
        process.send_signal(getattr(signal, name))
        error = process.communicate(timeout=DEADLINE)[1]
    assert process.returncode == code
    assert error.splitlines()[-1] == ("interrupted" if name == "SIGINT" else f"stopped by {name}")
    assert "Traceback" not in error
    assert not [path for path in tmp_path.rglob("*") if is_part(path.name)]


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="only Linux lists the processes of another one")
def test_processes_end_with_the_one_that_began_them(tmp_path: Path) -> None:
    with drawing(tmp_path, workers=2) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) >= 2
        process.kill()
        process.wait(timeout=DEADLINE)
    wait_until(lambda: not any(is_running(child) for child in children))


def is_running(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_signal_is_raised_once_and_its_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    told: tuple[str, int] | None = None
    with raised_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Interrupted as interruption:
            told = str(interruption), interruption.exit_code
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # a second one ends the process at once
    assert told == ("stopped by SIGTERM", 143)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raised_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_forked_process_ends_by_the_signal_alone(tmp_path: Path) -> None:
    code = """
import os, signal, sys, time
from tipr_zoo.machine.signals import raised_signals
with raised_signals():
    if (child := os.fork()) == 0:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert (ended.stdout, ended.stderr) == ("-15\n", "")


def test_an_interruption_that_a_library_has_turned_into_an_error_stays_one() -> None:
    def library() -> None:
        try:
            raise KeyboardInterrupt
        except BaseException:
            raise SyntaxError("Failed to format the config file")  # noqa: B904

    with pytest.raises(KeyboardInterrupt), kept_interruption():
        library()
    with pytest.raises(SyntaxError), kept_interruption():
        raise SyntaxError("of its own")
