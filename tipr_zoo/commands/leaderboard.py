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
from tipr_zoo.display.model_size import pixels
from tipr_zoo.display.tables import Cell, render_table, terminal_width, to_json
from tipr_zoo.errors import ConfigError
from tipr_zoo.leaderboard.filter import EXTRA_DATA, LeaderboardFilter
from tipr_zoo.leaderboard.published_rows import published_rows
from tipr_zoo.leaderboard.row import LeaderboardRow, arguments_text, kind_of
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
        return to_json([row.values() for row in published_rows(rows)])
    if format == "csv":
        return _csv(rows)
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


def _csv(rows: Sequence[LeaderboardRow]) -> str:
    shown = published_rows(rows)
    columns = list(_csv_cells(shown[0])) if shown else []
    return render_table(columns, [list(_csv_cells(row).values()) for row in shown], "csv")


def _csv_cells(row: LeaderboardRow) -> dict[str, Cell]:
    """Return the cells of one row by column. A truth value is ``yes``, ``no``, or empty where it is not known."""
    method, paper, code, size = row.method, row.paper, row.code, row.size
    truth = {None: None, True: "yes", False: "no"}
    kind = kind_of(row)
    return {
        **{"dataset": row.dataset, "split": row.split, "dataset_arguments": arguments_text(row)},
        **{"trained_on": row.trained_on, "direction": row.direction, "model": row.model, "name": row.name},
        **{metric: row.metrics.get(metric) for metric in METRICS},
        **{"origin": row.origin, "source": row.source, "source_url": row.source_url, "date": row.date},
        **{"secondary": truth[row.secondary], "is_further": truth[row.is_further], "remark": row.remark},
        **{"selected_on": row.selected_on, "selected_on_in_paper": method.selected_on_in_paper},
        **{"method": method.name, "image_encoder": method.image_encoder, "text_encoder": method.text_encoder},
        **{"pretraining": method.pretraining, "at_test_time": method.at_test_time},
        **{"is_large": truth[kind.is_large], "weights_published": truth[method.weights_published]},
        **{"weights_part": method.weights_part, "weights_loaded": truth[row.weights_loaded]},
        **{"paper_url": paper.url if paper else None, "venue": paper.venue if paper else None},
        **{"year": paper.year if paper else None, "doi": paper.doi if paper else None},
        **{"code_url": code.url if code else None, "code_license": code.license if code else None},
        **{"code_license_note": code.license_note if code else None, "has_card": truth[row.has_card]},
        **{"parameters": size.parameters if size else None, "embedding": size.embedding if size else None},
        "pictures": pixels(size.input) if size and size.input else None,
        **{"seconds": row.seconds, "seconds_on": row.seconds_on, "seconds_url": row.seconds_url},
        **{"budget": row.budget, "seeds": row.seeds},
        **{f"{metric}_deviation": (row.spread or {}).get(metric) for metric in METRICS},
        "disagrees_on": " ".join(row.disagrees_on),
        **{"is_of_other_data": truth[row.is_of_other_data], "is_of_unknown_data": truth[row.is_of_unknown_data]},
        **{"part": row.part, "vectors": row.vectors, "rerank": row.rerank, "rerank_rest": row.rerank_rest},
        **{"postprocess": " ".join(row.postprocess or ()), "transductive": truth[row.transductive]},
    }
