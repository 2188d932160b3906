"""One training at a time in a work dir."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tipr_zoo.distributed import is_main_process
from tipr_zoo.errors import ConfigError

LOCK = ".lock"
"""The file in a work dir that a training holds; what it held falls free with its process, however that ends."""


@contextmanager
def locked(work_dir: Path) -> Iterator[None]:
    """Makes a work dir where there is none, and keeps it from other processes for as long as the block runs.

    Of several processes that train as one, the main process does.

    Raises:
        ConfigError: Another process trains there, or nothing can be written there.
    """
    if not is_main_process():
        yield
        return
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        (work_dir / LOCK).touch()
    except OSError as error:
        raise ConfigError(
            f"nothing can be written in work dir {work_dir}: {error.strerror or error}; name another --work-dir"
        ) from error
    # Workers that load pictures do not inherit it and outlive it. In place of a lock that the file system lacks, a file
    # would stay behind where the process is killed.
    lock = FileLock(work_dir / LOCK, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"another process trains in {work_dir}; wait for its end, or name another --work-dir"
        ) from error
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        lock.release()
