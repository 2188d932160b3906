"""Signals that end a process, raised as an error: what it was writing is removed, and what it began is ended."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tipr_zoo.errors import Interrupted

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What a scheduler and a closed terminal send; Python raises Ctrl-C's SIGINT by itself."""


@contextmanager
def raised_signals(numbers: Sequence[int] = ENDING, error: type[Interrupted] = Interrupted) -> Iterator[None]:
    """Raise an error in the block where one of these signals comes. The same signal once more ends the process at once.

    Signals that are ignored, as below ``nohup``, stay ignored. So do handlers outside of the main thread.

    Args:
        numbers: The signals.
        error: What is raised.
    """
    process = os.getpid()

    def stop(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != process:  # forked from it, with its handlers
            os.kill(os.getpid(), number)
            return
        raise error(f"stopped by {signal.Signals(number).name}", number)

    is_main = threading.current_thread() is threading.main_thread()
    caught = [number for number in numbers if is_main and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def kept_interruption() -> Iterator[None]:
    """Raise an interruption of the block that a library has turned into an error of its own, as MMEngine does."""
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, KeyboardInterrupt):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        raise cause from None
