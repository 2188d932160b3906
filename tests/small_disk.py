"""A disk that gives out in the middle of a write, for tests of what is left then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="only POSIX limits the size of files")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let this process write no file beyond `size` bytes: the system writes up to there and then answers EFBIG."""
    before, writes_bytecode = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # some versions of Python would keep half a module
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = writes_bytecode


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder and below it, parts and lock files too, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
