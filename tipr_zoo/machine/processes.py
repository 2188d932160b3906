"""Several processes of this machine, for work that needs no GPU."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from types import FrameType, ModuleType

from tipr_zoo.errors import ConfigError, error_line
from tipr_zoo.machine.shortage import shortage
from tipr_zoo.terminal.streams import make_streams_safe


def available_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_shared_memory() -> None:
    """Check that this machine has the shared memory by which several processes wait for each other.

    Raises:
        ConfigError: It has none, e.g. a container without ``/dev/shm``.
    """
    try:
        multiprocessing.get_context("spawn").Semaphore()
    except (OSError, ImportError) as error:
        if isinstance(error, OSError) and shortage(error) is not None:
            raise
        raise ConfigError(
            f"several processes need shared memory, which this machine lacks ({error_line(error)}): mount /dev/shm, or"
            " work in one process (--workers 1 for data synth, 0 for eval; --cfg-options training.num_workers=0)"
        ) from error


@contextmanager
def process_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of processes that ends at once when it is interrupted.

    Raises:
        ConfigError: The machine lacks what several processes need.
    """
    check_shared_memory()
    # Spawned, not forked: the caller may have threads running. And so every platform behaves alike.
    others = set(multiprocessing.active_children())
    with _one_interrupt():
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin_worker)
        try:
            yield pool
        except BaseException:
            # While work is queued, a request to end does not always reach them. Waiting for them would then never end.
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_interrupt() -> Iterator[None]:
    """Let Ctrl-C interrupt the block once: a second one would interrupt the ending of its processes half-way.

    A handler of the caller's own, and a thread other than the main one, are left alone.
    """
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not is_default or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def hidden_main() -> Iterator[None]:
    """Keep the processes that start meanwhile from running the caller's main module again.

    They do not need it. It cannot be run again if it came from stdin, or if it starts its work without a check of
    ``__name__ == "__main__"``.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin_worker() -> None:
    """Print through the one door, leave Ctrl-C to the parent process, and end where that ends."""
    make_streams_safe()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process once its parent is gone: nobody else would, and it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
