"""``history.jsonl``: one line of JSON for the losses of an epoch, and one for its validation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tipr_zoo.errors import TrainingError
from tipr_zoo.machine.appended_lines import append_line
from tipr_zoo.machine.whole_file import write_whole
from tipr_zoo.outside.files import LOG_LIMIT, read_bytes
from tipr_zoo.outside.parsing import parse_json

HISTORY = "history.jsonl"

DIGITS = 3
"""Digits after the point that figures of a validation have there."""


def read_history(work_dir: Path) -> list[dict[str, Any]]:
    """Read the rows of a work dir; none where there is no history. A last line that was cut off is left out.

    Raises:
        TrainingError: It cannot be read, or a line is damaged.
    """
    file = work_dir / HISTORY
    if not file.is_file():
        return []
    try:
        text = read_bytes(file, LOG_LIMIT).decode(errors="replace")
    except OSError as error:
        raise TrainingError(f"{file} cannot be read: {error}; move it away, then go on with --resume") from error
    lines = text.replace("\r\n", "\n").split("\n")[:-1]
    return [_row(file, number, line) for number, line in enumerate(lines, 1)]


def _row(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = parse_json(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or not isinstance(row.get("epoch"), int):
        raise TrainingError(
            f"{file}, line {number} is damaged: {line[:40]!r}; delete the line, then go on with --resume"
        )
    return row


def append_history(work_dir: Path, row: dict[str, Any]) -> None:
    """Add a row.

    Raises:
        WriteError: It cannot be written; the rows that were there are as they were.
    """
    append_line(work_dir / HISTORY, json.dumps(row))


def forget_after(work_dir: Path, epoch: int) -> None:
    """Remove the rows of epochs after this one: a resumed run goes through them again.

    Raises:
        TrainingError: A line is damaged.
        WriteError: The history cannot be written.
    """
    rows = [row for row in read_history(work_dir) if row["epoch"] <= epoch]
    write_whole(work_dir / HISTORY, "".join(json.dumps(row) + "\n" for row in rows).encode())


def validation_of(work_dir: Path, epoch: int) -> dict[str, float]:
    """Return the validation figures of an epoch in percent; empty where it was not validated.

    Raises:
        TrainingError: A line of the history is damaged.
    """
    found = [row["validation"] for row in read_history(work_dir) if row["epoch"] == epoch and "validation" in row]
    return found[-1] if found else {}
