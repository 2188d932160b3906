"""One training at a time in a work dir."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tipr_zoo.distributed import is_main_process
from tipr_zoo.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

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
        file = (work_dir / LOCK).open("a")
    except OSError as error:
        raise ConfigError(
            f"nothing can be written in work dir {work_dir}: {error.strerror or error}; name another --work-dir"
        ) from error
    with file:
        try:
            # The lock of this process alone: workers that load pictures do not inherit it and outlive it.
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise ConfigError(
                    f"another process trains in {work_dir}; wait for its end, or name another --work-dir"
                ) from error
            # Otherwise it is a file system without locks.
        yield
