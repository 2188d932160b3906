"""Reading a file that somebody else may have made: a regular one, up to a size, and nothing that blocks."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from tipr_zoo.errors import RefusedFileError as RefusedFileError

KIB, MIB = 1 << 10, 1 << 20

CARD_LIMIT = 2 * MIB
"""Bytes of a card, a reference or an evaluation record. Those that exist have some thousand."""

NOTE_LIMIT = 4 * MIB
"""Bytes of a note that the zoo wrote itself about a folder, e.g. ``synthpedes.json``."""

CACHE_LIMIT = 256 * MIB
"""Bytes of a cache of the zoo."""

ANNOTATION_LIMIT = 1024 * MIB
"""Bytes of an annotation file. The largest that is published has some ten million."""

PICTURE_LIMIT = 256 * MIB
"""Bytes of a picture file. One of 64 megapixels that is not compressed has 192 million."""

WEIGHTS_LIMIT = 32 * 1024 * MIB
"""Bytes of a file of weights or a checkpoint. That of a CLIP of 400 million parameters with its optimiser has 5 GB."""

ARCHIVE_LIMIT = 1024 * 1024 * MIB
"""Bytes of an archive whose list of names is read."""

SOURCE_LIMIT = 4 * MIB
"""Bytes of a file of Python that is run, or read for what it says."""

LOG_LIMIT = 256 * MIB
"""Bytes of a log that a training wrote."""

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_bytes(path: str | os.PathLike[str], limit: int) -> bytes:
    """Read a regular file.

    Opening never waits for somebody who writes into a pipe. A link is followed. What grows while it is read is read up
    to the limit and refused.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Raises:
        RefusedFileError: It is a pipe, a socket or a device, or larger than `limit`.
        OSError: It cannot be read, or is a folder.
    """
    descriptor = _open_regular(path, limit)
    try:
        content = os.read(descriptor, os.fstat(descriptor).st_size + 1)
        # A file that grows, or one of the system's that states no size.
        while len(content) <= limit and (more := os.read(descriptor, MIB)):
            content += more
        if len(content) > limit:
            raise _too_large(path, len(content), limit)
        return content
    finally:
        os.close(descriptor)


@contextmanager
def opened(path: str | os.PathLike[str], limit: int) -> Iterator[BinaryIO]:
    """Open a regular file for reading it in parts. See `read_bytes`.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Yields:
        The open file, at its beginning.

    Raises:
        RefusedFileError: See `read_bytes`.
        OSError: It cannot be read, or is a folder.
    """
    with os.fdopen(_open_regular(path, limit), "rb") as file:
        yield file


def file_sha256(path: str | os.PathLike[str], limit: int = WEIGHTS_LIMIT) -> str:
    """Compute the SHA-256 of a regular file, in hexadecimal, without holding it in memory.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Raises:
        RefusedFileError: See `read_bytes`.
        OSError: It cannot be read, or is a folder.
    """
    digest = hashlib.sha256()
    with opened(path, limit) as file:
        while chunk := file.read(MIB):
            digest.update(chunk)
    return digest.hexdigest()


def read_text(path: str | os.PathLike[str], limit: int, encoding: str = "utf-8") -> str:
    r"""Read a regular text file; any end of a line becomes ``\n``.

    Args:
        path: The file.
        limit: The most bytes that it may have.
        encoding: ``"utf-8"``, or ``"utf-8-sig"`` where a byte order mark may lead.

    Raises:
        RefusedFileError: See `read_bytes`.
        OSError: It cannot be read, or is a folder.
        UnicodeDecodeError: It is in another encoding.
    """
    return read_bytes(path, limit).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def _open_regular(path: str | os.PathLike[str], limit: int) -> int:
    """Open a file, look what it is, and give its descriptor."""
    descriptor = _open(path)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise _irregular(path, state.st_mode)
        if state.st_size > limit:
            raise _too_large(path, state.st_size, limit)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _too_large(path: str | os.PathLike[str], size: int, limit: int) -> RefusedFileError:
    return RefusedFileError(
        errno.EFBIG, f"it has {size:,} bytes, and no such file may have more than {limit:,}", str(path)
    )


def _open(path: str | os.PathLike[str]) -> int:
    # Without O_NONBLOCK, opening a pipe waits until somebody opens its other end.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags)
    except ValueError as error:  # a zero byte in the name
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    except OSError as error:
        if error.errno == errno.ENXIO:  # so sockets answer
            raise _irregular(path, stat.S_IFSOCK) from error
        raise


def _irregular(path: str | os.PathLike[str], mode: int) -> OSError:
    if stat.S_ISDIR(mode):
        return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "no regular file")
    return RefusedFileError(errno.EINVAL, f"it is {kind}, and only regular files are read", str(path))


def read_head(path: str | os.PathLike[str], count: int) -> bytes:
    """Read the first bytes of a regular file; none where it cannot be read or is no regular file.

    Args:
        path: The file.
        count: The number of bytes.
    """
    try:
        descriptor = _open(path)
    except OSError:
        return b""
    try:
        return os.read(descriptor, count) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)
