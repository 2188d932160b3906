"""Whole files, of which nobody ever finds a half."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tipr_zoo.errors import WriteError

CHUNK = 1 << 20
"""Bytes to read at once."""

ABANDONED_AFTER = 600.0
"""Seconds without a change after which a part is taken for one of a process that was killed.

Where that is wrong, that process fails and says so, and the file that was there stays.
"""

_PART = r"(?s)\..*\.[0-9a-f]{16}\.part"

_LONGEST_START = 50
"""Letters of the file's name in that of its part: however long the one is, the other is no name that is too long."""

_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What file systems answer that cannot say when a file is on the disk."""


@contextmanager
def whole_file(path: Path, *, must_last: bool = True) -> Iterator[Path]:
    """Give a part to write into, which becomes the file when the block ends without an error.

    Until then the file stays as it was. If the block raises, the file stays, and the part is removed. No two calls
    share a part. If two processes write one file, the last one to end its block wins.

    As with ``open``, a link is followed, and a write-protected file is not written. Any other file keeps its
    permissions. A new one gets what the umask leaves. A pipe or a device cannot be moved, so it is written directly.

    The part's name says nothing of the format. Give a library that needs the format the open file, or write its bytes.

    Args:
        path: The file; its folder exists.
        must_last: Whether the file must outlast a crash of the machine, which costs some milliseconds. False for a file
            that can be made anew and is checked when it is read. If True, abandoned parts in the same folder are
            removed, too.

    Yields:
        The part: an empty file that exists already, in the folder of `path`.

    Raises:
        WriteError: The file cannot be written. It names `path`, even if the block's own error names the part or no
            file.
    """
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
    part = part_of(target)
    try:
        old = _state(target)
        if old is not None and not stat.S_ISREG(old.st_mode):
            with _held_open(target, old):
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


@contextmanager
def _held_open(target: Path, state: os.stat_result) -> Iterator[None]:
    """Hold a named pipe open, which fails at once where nobody reads it: writing would wait for ever."""
    descriptor = os.open(target, os.O_WRONLY | os.O_NONBLOCK) if stat.S_ISFIFO(state.st_mode) else None
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def write_whole(path: Path, content: bytes, *, must_last: bool = True) -> None:
    """Write a file so that it is there as a whole or not at all; see `whole_file`.

    Args:
        path: The file; its folder exists.
        content: What the file is to hold.
        must_last: Whether the file must outlast a crash of the machine.

    Raises:
        WriteError: The file cannot be written. What was there stays as it was.
    """
    with whole_file(path, must_last=must_last) as part:
        part.write_bytes(content)


def part_of(target: Path) -> Path:
    """Return a new name beside a file or folder for what is to become it; see `is_part`."""
    return target.with_name(f".{target.name[:_LONGEST_START]}.{os.urandom(8).hex()}.part")


def is_part(name: str) -> bool:
    """Return whether a file or folder of this name is a part, and so not yet one of its own."""
    return re.fullmatch(_PART, name) is not None


def remove_parts(folder: Path, untouched_for: float = ABANDONED_AFTER) -> None:
    """Remove the parts that killed processes left behind, files and folders; a part that cannot be removed stays.

    Args:
        folder: The folder to search, without the folders below it. It need not exist.
        untouched_for: Seconds since the last change of a part. 0 if nobody else can be writing.
    """
    last = time.time() - untouched_for
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_part(entry.name):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime > last:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path)
                    else:
                        os.unlink(entry.path)


def _state(target: Path) -> os.stat_result | None:
    """Return the state of a file; None if there is none yet."""
    try:
        return target.stat()
    except FileNotFoundError:
        return None


def _make_part(part: Path, target: Path, old: os.stat_result | None) -> None:
    """Make the part. If nobody else may write the file, nobody else may write the part."""
    if old is not None and not os.access(target, os.W_OK):  # os.replace would not mind
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    mode = 0o666 if old is None else stat.S_IMODE(old.st_mode) & 0o777 | stat.S_IWUSR
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))


def _is_of(error: OSError, *files: Path) -> bool:
    """Return whether an error names one of these files, or no file at all, as on a full disk."""
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
    """Wait until the part is on the disk: a crash must not leave an empty file in the place of the old one."""
    descriptor = os.open(part, os.O_RDWR)  # Windows wants it open for writing
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)
