"""``runs.json``: an entry for each time that a training was started or resumed, the first one first."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tipr_zoo.errors import TrainingError, WriteError, error_line
from tipr_zoo.machine.whole_file import write_whole
from tipr_zoo.outside.files import LOG_LIMIT, read_text
from tipr_zoo.outside.parsing import parse_json
from tipr_zoo.terminal.log import logger

RUNS = "runs.json"

_FIX = "move it away, then go on with --resume"


def read_runs(work_dir: Path) -> list[dict[str, Any]]:
    """Read the entries of a work dir; none where nothing was started there.

    Raises:
        TrainingError: The file cannot be read, or is damaged.
    """
    file = work_dir / RUNS
    if not file.is_file():
        return []
    try:
        runs = parse_json(read_text(file, LOG_LIMIT))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file} cannot be read: {error_line(error)}; {_FIX}") from error
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise TrainingError(f"{file} is damaged: it is no list of runs; {_FIX}")
    return runs


@contextmanager
def noted_run(work_dir: Path, facts: Mapping[str, Any]) -> Iterator[None]:
    """Add an entry when the block begins, and note when and how it ended. One that was killed has no end.

    Nothing of the environment is written down: it may hold secrets.

    Args:
        work_dir: Where the training writes.
        facts: What the entry says besides the times.

    Raises:
        TrainingError: What is there is damaged.
        WriteError: The entry cannot be written.
    """
    runs = read_runs(work_dir)
    run: dict[str, Any] = {"started": _now(), **facts}
    _write(work_dir, [*runs, run])
    ended = "finished"
    try:
        yield
    except BaseException as error:
        ended = error_line(error)
        raise
    finally:
        try:
            _write(work_dir, [*runs, run | {"ended": _now(), "how_it_ended": ended}])
        except WriteError as error:
            logger.warning("%s (the end of this run is not noted)", error)


def _write(work_dir: Path, runs: list[dict[str, Any]]) -> None:
    text = json.dumps(_plain(runs), indent=2, ensure_ascii=False)
    write_whole(work_dir / RUNS, f"{text}\n".encode("utf-8", "backslashreplace"))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; what JSON has no word for becomes a text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    is_plain = value is None or isinstance(value, (str, bool, int)) or (type(value) is float and math.isfinite(value))
    return value if is_plain else str(value)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
