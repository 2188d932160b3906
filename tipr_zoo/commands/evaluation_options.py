"""The parts of `tipr-zoo eval` that serve both one model and a matrix of models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tipr_zoo.cards.record import DIRECTIONS, RERANK_RESTS, Record
from tipr_zoo.cards.record_files import record_file_name

if TYPE_CHECKING:
    from tipr_zoo.evaluation.measuring import Outcome


def add_reranking_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--rerank`` and ``--rerank-rest``."""
    parser.add_argument(
        "--rerank",
        metavar="K",
        type=int,
        help="rank the best K pictures of each caption again by the score of the pair, of models that have one; 0 for"
        " the first stage alone (default: what the recipe says, else 0)",
    )
    parser.add_argument(
        "--rerank-rest",
        choices=RERANK_RESTS,
        help="the other pictures: in the order of the first stage, or tied below these (default: what the recipe says,"
        " else first_stage)",
    )


def add_postprocessing_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--postprocess``."""
    parser.add_argument(
        "--postprocess",
        metavar="STEP",
        nargs="+",
        default=[],
        help="change the first stage by steps, one after the other: flip_averaging, query_expansion:count=5,alpha=0,"
        " k_reciprocal:k1=20,k2=6,weight=0.3, dual_softmax:scale=100; all but the first are transductive, as records"
        " and the leaderboard say",
    )


def directions_of(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the directions that the options ask for."""
    return DIRECTIONS if arguments.direction == "both" else (arguments.direction,)


def write_records(outcomes: Sequence[Outcome], folder: Path | None) -> list[Record]:
    """Write an evaluation record for each direction into the folder, with what was found of every query; say where.

    Without a folder, nothing is written.

    Returns:
        The records, as they were written.
    """
    if folder is None:
        return [outcome.record for outcome in outcomes]
    from tipr_zoo.evaluation.kept_queries import write_with_queries  # not at the top: only whoever keeps it needs it

    records = []
    for outcome in outcomes:
        path = folder / record_file_name(outcome.record)
        records.append(write_with_queries(outcome.record, outcome.queries, path))
        print(f"record: {path}", file=sys.stderr)
    return records
