"""The parts of `tipr-zoo eval` that serve both one model and a matrix of models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tipr_zoo.cards.record import DIRECTIONS, record_file_name, write_record

if TYPE_CHECKING:
    from tipr_zoo.evaluation.measuring import Outcome


def directions_of(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the directions that the options ask for."""
    return DIRECTIONS if arguments.direction == "both" else (arguments.direction,)


def write_records(outcomes: Sequence[Outcome], folder: Path | None) -> None:
    """Write an evaluation record for each direction into the folder, and say where. Without a folder, do nothing."""
    if folder is None:
        return
    for outcome in outcomes:
        path = folder / record_file_name(outcome.record)
        write_record(outcome.record, path)
        print(f"record: {path}", file=sys.stderr)
