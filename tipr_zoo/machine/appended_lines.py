"""Files that grow by lines, so that they can be followed: of a line there is all or nothing."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tipr_zoo.errors import WriteError
from tipr_zoo.outside.files import LOG_LIMIT, read_bytes


def append_line(file: Path, line: str) -> None:
    """Append a line.

    A process that is killed may leave the beginning of one; `cut_to_whole_lines` takes it away.

    Args:
        file: The file; it is made where there is none.
        line: The line, without its end.

    Raises:
        WriteError: It cannot be written; the lines that were there are as they were.
    """
    size = file.stat().st_size if file.is_file() else None
    try:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(line + "\n")
    except OSError as error:
        if size is not None:
            with suppress(OSError):
                os.truncate(file, size)
        raise WriteError(error.errno, error.strerror, str(file)) from error


def cut_to_whole_lines(file: Path) -> None:
    """Take away what stands after the last whole line. A file that cannot be read is left as it is.

    Raises:
        WriteError: The file cannot be cut.
    """
    try:
        content = read_bytes(file, LOG_LIMIT)
    except OSError:
        return
    if (size := content.rfind(b"\n") + 1) < len(content):
        try:
            os.truncate(file, size)
        except OSError as error:
            raise WriteError(error.errno, error.strerror, str(file)) from error
