"""Whole files: written so that nobody ever finds half of one, and hashed."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tipr_zoo.errors import WriteError

CHUNK = 1 << 20
"""Bytes that are read at once."""

ABANDONED_AFTER = 600.0
"""Seconds without a change after which a part is taken for one of a process that was killed.

Where that is wrong, that process fails and says so, and the file that was there stays.
"""

_PART = re.compile(r"\..*\.[0-9a-f]{16}\.part", re.DOTALL)

_LONGEST_START = 50
"""Letters of the file's name in that of its part: however long the one is, the other is no name that is too long."""

_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What file systems answer that cannot say when a file is on the disk."""


@contextmanager
def whole_file(path: Path, *, must_last: bool = True) -> Iterator[Path]:
    """Give a part to write into, which becomes the file when the block ends without an error.

    Until then the file is what it was. If the block raises, it stays so, and the part is removed. No two calls share a
    part: of two processes that write one file, the last one to end its block wins. As with ``open``, a link is
    followed, a write-protected file is not written, any other keeps its permissions, and a new one gets what the umask
    leaves. A pipe or a device is no file that could be moved: it is written into itself.

    The part's name says nothing of the format: hand a library that asks for it the open file, or write its bytes.

    Args:
        path: The file; its folder exists.
        must_last: Whether the file must outlast a crash of the machine, which costs some milliseconds. False for what
            can be made anew and is checked where it is read. Where it must, parts that are abandoned in the same
            folder are removed, too.

    Yields:
        The part: an empty file in the folder of `path`, which is there already.

    Raises:
        WriteError: It cannot be written. It names `path`, also where the block's own error names the part or no file.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name[:_LONGEST_START]}.{os.urandom(8).hex()}.part")
    try:
        old = _state(target)
        if old is not None and not stat.S_ISREG(old.st_mode):
            yield target
            return
        if must_last:
            remove_parts(target.parent)
        _make_part(part, target, old)
        yield part
        _keep_state(part, old)
        if must_last:
            _sync(part)
        os.replace(part, target)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError) and _is_of(error, path, target, part):
            raise WriteError(error.errno, error.strerror or str(error), str(path)) from error
        raise


def write_whole(path: Path, content: bytes, *, must_last: bool = True) -> None:
    """Write a file that is either there as a whole or not at all; see `whole_file`.

    Raises:
        WriteError: It cannot be written; what was there is as it was.
    """
    with whole_file(path, must_last=must_last) as part:
        part.write_bytes(content)


def is_part(name: str) -> bool:
    """Whether a file of this name is none yet, but what `whole_file` gave to write into."""
    return _PART.fullmatch(name) is not None


def remove_parts(folder: Path, untouched_for: float = ABANDONED_AFTER) -> None:
    """Remove what killed processes left behind; what cannot be removed stays.

    Args:
        folder: Where to look, but not below it. It need not be there.
        untouched_for: Seconds that a part was not changed for. 0 where nobody else can be writing.
    """
    last = time.time() - untouched_for
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_part(entry.name):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime <= last:
                        os.unlink(entry.path)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _state(target: Path) -> os.stat_result | None:
    """What there is; None where there is nothing yet."""
    try:
        return target.stat()
    except FileNotFoundError:
        return None


def _make_part(part: Path, target: Path, old: os.stat_result | None) -> None:
    """Make the part, which nobody but this process may write into where that holds for the file."""
    if old is not None and not os.access(target, os.W_OK):  # os.replace would not mind
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    mode = 0o666 if old is None else stat.S_IMODE(old.st_mode) & 0o777 | stat.S_IWUSR
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))


def _is_of(error: OSError, *files: Path) -> bool:
    """Whether an error names one of these files, or none, as where a disk is full."""
    named = {os.fspath(name) for name in (error.filename, error.filename2) if isinstance(name, str | os.PathLike)}
    return error.filename is None or not named.isdisjoint(map(str, files))


def _keep_state(part: Path, old: os.stat_result | None) -> None:
    """Give the part the owner and the permissions of the file that it replaces."""
    if old is None:
        return
    new = part.stat()
    if hasattr(os, "chown") and (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(OSError):  # only root may give a file away
            os.chown(part, old.st_uid, old.st_gid)
    if new.st_mode != old.st_mode:
        os.chmod(part, stat.S_IMODE(old.st_mode))


def _sync(part: Path) -> None:
    """Wait until the disk has the part: a crash must not leave an empty file in the place of the old one."""
    descriptor = os.open(part, os.O_RDWR)  # Windows wants it open for writing
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)
