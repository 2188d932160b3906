"""Work shared by several processes of this machine, for what needs no GPU."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from types import ModuleType


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def process_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool that gives up at once when it is interrupted."""
    # Spawned, not forked: the caller may have threads running, and every platform then behaves alike.
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _ignore_interrupts)
    try:
        yield pool
    except BaseException:
        # Asking them to end does not always reach them while work is queued, and then they would be waited for forever.
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def hidden_main() -> Iterator[None]:
    """Keeps processes that start meanwhile from running the caller's main module again.

    Nothing here needs it, and it cannot be run again where it came from stdin or starts its work without asking for
    ``__name__ == "__main__"``.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _ignore_interrupts() -> None:
    """Leaves Ctrl-C to the parent process, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
