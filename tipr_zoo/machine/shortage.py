"""What a machine, or the limit that somebody has set, has run out of: told in one line from any library's error."""

from __future__ import annotations

import errno
from collections.abc import Iterator

_NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "out of memory",
    "std::bad_alloc",
    "failed to map segment",  # of a library that is being imported
)
_NO_THREADS = ("can't start new thread", "resource temporarily unavailable")


def shortage(error: BaseException) -> str | None:
    """Return one line with what has run out and the fix; None where the error is of another kind.

    Libraries raise a RuntimeError or an ImportError where memory is short. Only their words tell.
    """
    for cause in _causes(error):
        number = cause.errno if isinstance(cause, OSError) else None
        text = " ".join(str(cause).split()).lower()
        if number in (errno.EMFILE, errno.ENFILE):
            return "too many files are open at once; raise the limit (ulimit -n), or use fewer processes"
        is_told = isinstance(cause, RuntimeError | ImportError)
        if isinstance(cause, MemoryError) or number == errno.ENOMEM or (is_told and _has(text, _NO_MEMORY)):
            return (
                "the memory is full; end other programs, raise the limit (ulimit -v), or use smaller batches and fewer"
                " processes"
            )
        if number == errno.EAGAIN or (is_told and _has(text, _NO_THREADS)):
            return "no more processes or threads can be started; raise the limit (ulimit -u), or use fewer processes"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it came from."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _has(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)
