"""One training at a time in a work dir."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tipr_zoo.distributed import is_main_process
from tipr_zoo.errors import ConfigError

LOCK = ".lock"
"""The file in a work dir that a training locks. The lock ends with the process, however that ends."""


@contextmanager
def locked(work_dir: Path) -> Iterator[None]:
    """Lock a work dir while the block runs; make the folder where there is none.

    Of several processes that train as one, the main process does this.

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
    # Workers that load pictures do not inherit the lock, so it does not outlive the training. On file systems without
    # locks there is none: a file in its place would stay behind where the process is killed.
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
