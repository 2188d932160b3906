"""The logger of the zoo. What it logs passes the escape rule, also in a program of somebody else."""

from __future__ import annotations

import logging

from tipr_zoo.terminal.escaping import escaped_lines


class _Escaping(logging.Filter):
    """Escapes what a handler, the zoo's or another's, is going to show."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if (safe := escaped_lines(text)) != text:
            record.msg, record.args = safe, ()
        return True


logger = logging.getLogger("tipr_zoo")
if not logger.filters:
    logger.addFilter(_Escaping())
