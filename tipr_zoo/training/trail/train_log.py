"""``train.log``: what a training says, line by line with the time of day."""

from __future__ import annotations

import logging
import time
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TextIO

from tipr_zoo.errors import WriteError, error_line
from tipr_zoo.machine.appended_lines import append_line, cut_to_whole_lines
from tipr_zoo.terminal.escaping import escaped_lines
from tipr_zoo.terminal.log import logger

LOG = "train.log"


class TrainLog(AbstractContextManager["TrainLog"]):
    """Writes down what the zoo's logger, warnings of Python and the lines of the progress say within the block.

    What is said before there is a file waits for it. Blocks of one log may lie in one another.
    """

    def __init__(self) -> None:
        self._file: Path | None = None
        self._waiting: list[str] | None = []
        self._depth = 0
        self._show_warning = warnings.showwarning

    def __enter__(self) -> TrainLog:
        self._depth += 1
        if self._depth == 1:
            # A filter and no handler: with a handler of its own, Python would no longer print what the logger is told.
            logger.addFilter(self._of_logger)
            self._show_warning, warnings.showwarning = warnings.showwarning, self._of_python
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        logger.removeFilter(self._of_logger)
        warnings.showwarning = self._show_warning
        if error is not None:
            self.line(f"ended: {error_line(error)}")

    def write_to(self, work_dir: Path) -> None:
        """Write to a work dir from now on, what waits first.

        Raises:
            WriteError: Nothing can be written there.
        """
        file = work_dir / LOG
        cut_to_whole_lines(file)
        for line in self._waiting or ():
            append_line(file, line)
        self._file, self._waiting = file, None

    def line(self, text: str) -> None:
        """Write one line. A log that cannot be written is told once; the training goes on without it."""
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        line = f"{now} {' | '.join(escaped_lines(text).splitlines())}"
        if self._waiting is not None:
            self._waiting.append(line)
        elif self._file is not None:
            file, self._file = self._file, None  # what the logger is told of it must not come back here
            try:
                append_line(file, line)
            except WriteError as error:
                logger.warning("%s (the training goes on, and what it says is no longer written down)", error)
            else:
                self._file = file

    def _of_logger(self, record: logging.LogRecord) -> bool:
        self.line(record.getMessage())
        return True

    def _of_python(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        self._show_warning(message, category, filename, lineno, file, line)
        self.line(f"{category.__name__}: {message} ({Path(filename).name}:{lineno})")
