"""What `tipr-zoo eval` does alike for one model and for a matrix of them."""

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
    """The directions that were asked for."""
    return DIRECTIONS if arguments.direction == "both" else (arguments.direction,)


def write_records(outcomes: Sequence[Outcome], folder: Path | None) -> None:
    """Write a record a direction into the folder, if there is one, and say where."""
    if folder is None:
        return
    for outcome in outcomes:
        path = folder / record_file_name(outcome.record)
        write_record(outcome.record, path)
        print(f"record: {path}", file=sys.stderr)
