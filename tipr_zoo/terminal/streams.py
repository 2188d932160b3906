"""The standard streams of a command: whatever is printed passes the escape rule, in any locale."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from tipr_zoo.terminal.escaping import escaped_lines

_OF_PROGRESS = r"\n*(?:\x1b\[A)*"
"""What moves between the lines of several progress bars; each such move is written alone."""


class SafeStream:
    """A text stream that lets no character through that controls a terminal.

    Progress bars still begin a line anew and move between their lines, since they write such moves at the beginning of
    a text or alone. Everything else is that of the stream below.

    Args:
        stream: The stream to write to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        if not re.fullmatch(_OF_PROGRESS, text):
            rest = text.lstrip("\r")
            text = text[: len(text) - len(rest)] + escaped_lines(rest)
        self._stream.write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)


def make_streams_safe() -> None:
    """Make stdout and stderr safe for good, so that what the interpreter itself prints is escaped, too.

    A stream that is closed takes everything and keeps nothing. What a stream's encoding lacks is written as an escape.
    """
    _open_closed_descriptors()
    sys.stdout, sys.stderr = _safe(sys.stdout), _safe(sys.stderr)


@contextmanager
def safe_streams() -> Iterator[None]:
    """Make stdout and stderr safe within the block."""
    before = sys.stdout, sys.stderr
    make_streams_safe()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def write_document(text: str) -> None:
    """Print a document for programs in UTF-8, whatever the locale says."""
    stream: Any = sys.stdout
    below = stream._stream if isinstance(stream, SafeStream) else stream
    if isinstance(below, io.TextIOWrapper) and below.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        below.reconfigure(encoding="utf-8")
    print(text)


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal. A closed one is none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it was closed meanwhile
        return False


def abandon(stream: TextIO) -> None:
    """Lead a stream that cannot be written to nowhere: the interpreter flushes it once more at exit."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _safe(stream: TextIO | None) -> TextIO:
    if stream is None or stream.closed:
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    if isinstance(stream, SafeStream):
        return stream
    if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
        stream.reconfigure(errors="backslashreplace")
    return cast(TextIO, SafeStream(stream))


def _open_closed_descriptors() -> None:
    """Open 0, 1 and 2 where they are closed: the next file to be opened would take such a number, and what a library
    prints would go into it."""
    if None not in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        return
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
