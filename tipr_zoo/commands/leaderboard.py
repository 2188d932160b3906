"""``tipr-zoo leaderboard``: every figure with its source, and whether it is reported, reproduced or measured."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tipr_zoo.cards.index import card_index
from tipr_zoo.cards.method_facts import NO_EXTRA_DATA
from tipr_zoo.cards.record import METRICS
from tipr_zoo.cards.results import ORIGINS
from tipr_zoo.display.tables import terminal_width
from tipr_zoo.errors import ConfigError
from tipr_zoo.leaderboard.downloads import csv_text, json_text
from tipr_zoo.leaderboard.filter import EXTRA_DATA, LeaderboardFilter
from tipr_zoo.leaderboard.published_rows import published_rows
from tipr_zoo.leaderboard.row import LeaderboardRow
from tipr_zoo.leaderboard.rows import leaderboard_rows
from tipr_zoo.terminal.streams import write_document

FORMATS = ("text", "markdown", "latex", "csv", "json", "html")

NAME = "leaderboard"
HELP = "show reported, reproduced and measured figures, by data set"
EXAMPLE = """
tipr-zoo leaderboard --dataset CUHK-PEDES --sort mAP
tipr-zoo leaderboard --origin measured --weights
tipr-zoo leaderboard --dataset RSTPReid --pretraining none --encoder ViT-B/16 --format latex
tipr-zoo leaderboard --records my_records --format html > leaderboard.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--dataset", metavar="NAME", help="only this data set")
    parser.add_argument("--origin", choices=ORIGINS, help="only figures of this kind: " + ", ".join(ORIGINS))
    parser.add_argument(
        "--pretraining",
        metavar="NAME",
        help=f"person data beside the training split: {NO_EXTRA_DATA}, {EXTRA_DATA} for any, or a name such as NAM",
    )
    parser.add_argument("--encoder", metavar="NAME", help="part of the image encoder's name, e.g. ViT-B/16")
    parser.add_argument(
        "--weights", action="store_true", default=None, help="only models whose weights somebody gives out"
    )
    parser.add_argument("--sort", metavar="METRIC", default="R1", help=f"one of {', '.join(METRICS)} (default: R1)")
    parser.add_argument("--records", type=Path, metavar="DIR", help="also show the records (*.json) of this folder")
    parser.add_argument("--format", choices=FORMATS, default="text", help=f"{', '.join(FORMATS)} (default: text)")
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument(
        "--brief", action="store_true", help="markdown with fewer columns, in which the origin links to the source"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the leaderboard. A filter that keeps no row is no error.

    Raises:
        ConfigError: ``--brief`` stands beside another format than Markdown.
    """
    if arguments.brief and arguments.format != "markdown":
        raise ConfigError("--brief is of --format markdown only; text leaves out by itself what has no room")
    for problem in [*card_index().problems.values(), *card_index().notes]:
        print(f"warning: {problem}", file=sys.stderr)
    filter = LeaderboardFilter(arguments.origin, arguments.pretraining, arguments.encoder, arguments.weights)
    rows = leaderboard_rows(arguments.dataset, arguments.records, arguments.sort, filter)
    if not rows:
        print("no figure is left over; drop a filter", file=sys.stderr)
    if rows or arguments.format in ("csv", "json", "html"):
        show = print if arguments.format == "text" else write_document
        show(render(rows, arguments.format, arguments.sort, arguments.brief))


def render(rows: Sequence[LeaderboardRow], format: str, sort: str, brief: bool) -> str:
    """Return the leaderboard in one format. Only the modules of that format are imported.

    Args:
        rows: As `tipr_zoo.leaderboard.rows.leaderboard_rows` sorts them.
        format: One of `FORMATS`.
        sort: The metric by which a page is sorted at first.
        brief: Whether Markdown leaves out the less important columns.
    """
    if format == "json":
        return json_text(rows, indent=2)
    if format == "csv":
        return csv_text(rows)
    if format == "html":
        from tipr_zoo.leaderboard.page import leaderboard_page

        return leaderboard_page(rows, sort)
    if format == "latex":
        from tipr_zoo.leaderboard.latex import latex_leaderboard

        return latex_leaderboard(rows)
    from tipr_zoo.leaderboard.text import markdown_leaderboard, text_leaderboard

    return (
        markdown_leaderboard(rows, brief)
        if format == "markdown"
        else text_leaderboard(published_rows(rows), terminal_width())
    )
