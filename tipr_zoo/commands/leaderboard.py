"""``tipr-zoo leaderboard``: every figure with its source, reported and measured told apart."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from tipr_zoo.card_index import card_index
from tipr_zoo.leaderboard import LeaderboardRow, data_key, leaderboard_rows
from tipr_zoo.records import METRICS
from tipr_zoo.selection_mark import TEST_SELECTION_LEGEND, marked
from tipr_zoo.tables import FORMATS, Best, Cell, render_table, terminal_width, to_json

NAME = "leaderboard"
HELP = "show reported and measured figures, by data set"
EXAMPLE = """
tipr-zoo leaderboard --dataset CUHK-PEDES --sort mAP
tipr-zoo leaderboard --records my_records --format markdown > LEADERBOARD.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--dataset", metavar="NAME", help="only this data set")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print it (default: text)")
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument("--records", type=Path, metavar="DIR", help="also show the records (*.json) of this folder")
    parser.add_argument("--sort", metavar="METRIC", default="R1", help=f"one of {', '.join(METRICS)} (default: R1)")


def run(arguments: argparse.Namespace) -> None:
    """Print the leaderboard."""
    for problem in [*card_index().problems.values(), *card_index().notes]:
        print(f"warning: {problem}", file=sys.stderr)
    rows = leaderboard_rows(arguments.dataset, arguments.records, arguments.sort)
    if arguments.format == "json":
        print(to_json([asdict(row) for row in rows]))
    elif arguments.format == "csv":
        print(_csv(rows))
    else:
        groups = [(key, list(group)) for key, group in groupby(rows, data_key)]
        print("\n\n".join(_section(key, group, arguments.format) for key, group in groups))
        if legend := _legend(rows, arguments.format):
            print("\n" + "\n".join(legend))


def _legend(rows: Sequence[LeaderboardRow], format: str) -> list[str]:
    """What the marks mean; Markdown prints the best bold, which needs no words."""
    lines = []
    if format == "text":
        lines.append("* best of its column; all figures in percent, text-to-image where the title says nothing else")
    if any(row.selected_on == "test" for row in rows):
        lines.append(f"{TEST_SELECTION_LEGEND}, as the record says; of reported figures the cards tell it")
    return lines


def _section(key: tuple[str, str, str, str], rows: Sequence[LeaderboardRow], format: str) -> str:
    """A title and the table of one data set and split."""
    title = ", ".join(filter(None, key))
    best = {metric: max((row.metrics.get(metric, -1.0) for row in rows), default=-1.0) for metric in METRICS}

    def figure(row: LeaderboardRow, metric: str) -> Cell:
        value = row.metrics.get(metric)
        if value is None or len(rows) == 1 or round(value, 2) < round(best[metric], 2):
            return value
        return Best(value)

    cells: list[list[Cell]] = []
    for row in rows:
        figures = [figure(row, metric) for metric in METRICS]
        cells.append([marked(row.model, row.selected_on), *figures, row.origin, _source(row, format)])
    table = render_table(["model", *METRICS, "origin", "source"], cells, format, width=terminal_width())
    return f"### {title}\n\n{table}" if format == "markdown" else f"{title}\n\n{table}"


def _source(row: LeaderboardRow, format: str) -> str:
    """Where the figures come from; a measured row is told by its date and command."""
    if row.date is not None:
        return f"{row.date[:10]}, {row.source}"
    return f"[{row.source}]({row.source_url})" if format == "markdown" else row.source


def _csv(rows: Sequence[LeaderboardRow]) -> str:
    columns = ["dataset", "split", "dataset_arguments", "direction", "model", *METRICS]
    columns += ["origin", "source", "source_url", "date", "selected_on"]
    cells: list[list[Cell]] = []
    for row in rows:
        sources = [row.origin, row.source, row.source_url, row.date, row.selected_on]
        cells.append([*data_key(row)[:3], row.direction, row.model, *map(row.metrics.get, METRICS), *sources])
    return render_table(columns, cells, "csv")
