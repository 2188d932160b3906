"""``tipr-zoo compare``: two evaluation records beside each other, query by query."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tipr_zoo.display.tables import FORMATS, Cell, render_table, terminal_width, to_json
from tipr_zoo.terminal.cells import filled
from tipr_zoo.terminal.streams import write_document

if TYPE_CHECKING:
    from tipr_zoo.cards.record import Record
    from tipr_zoo.comparison.record_comparison import RecordComparison

NAME = "compare"
HELP = "compare two evaluation records query by query: difference, interval and p-value of every metric"
EXAMPLE = """
tipr-zoo compare one other
tipr-zoo compare one other --by identity --resamples 100000 --seed 7
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "records",
        metavar="RECORD",
        nargs=2,
        type=Path,
        help="a record that `tipr-zoo eval` wrote, or a folder with those of one evaluation; the difference is the"
        " second less the first",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="seed of what is drawn (default: 0)")
    parser.add_argument(
        "--resamples", metavar="N", type=int, default=10_000, help="times to draw, and to flip signs (default: 10000)"
    )
    parser.add_argument(
        "--by",
        metavar="UNIT",
        default="query",
        help="what is drawn as a whole: query, or identity for all queries of a person (default: query)",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print it (default: text)")
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")


def run(arguments: argparse.Namespace) -> None:
    """Compare, and print a table for each direction."""
    from tipr_zoo.comparison.record_comparison import compare_records

    first, second = arguments.records
    comparisons = compare_records(first, second, by=arguments.by, resamples=arguments.resamples, seed=arguments.seed)
    if arguments.format == "json":
        write_document(to_json([_as_json(comparison) for comparison in comparisons]))
        return
    if arguments.format == "csv":
        rows = [[comparison.first.direction, *row] for comparison in comparisons for row in _rows(comparison, True)]
        write_document(render_table(["direction", *_COLUMNS, "from", "to", "p"], rows, "csv"))
        return
    width = terminal_width() if arguments.format == "text" else None
    parts = [part for comparison in comparisons for part in _parts(comparison, arguments.format, width)]
    legend = [filled(line, width) if width else line for line in _legend(comparisons)]
    show = print if arguments.format == "text" else write_document
    show("\n\n".join([*parts, *legend]))


_COLUMNS = ("metric", "first", "second", "difference")


def _parts(comparison: RecordComparison, format: str, width: int | None) -> list[str]:
    """Return the title and the table of one direction."""
    first, second = comparison.first, comparison.second
    title = "\n".join(
        [
            "### " * (format == "markdown")
            + f"{first.dataset} {first.split}, {first.direction}: {first.queries:,} queries"
            + f" of {comparison.units:,} identities" * (comparison.by == "identity"),
            f"first: {_named(first)}",
            f"second: {_named(second)}",
        ]
    )
    return [title, render_table([*_COLUMNS, "95 % interval", "p"], _rows(comparison, False), format, width=width)]


def _rows(comparison: RecordComparison, is_plain: bool) -> list[list[Cell]]:
    """Return a row for each metric; numbers as they are, or as people read them."""
    rows: list[list[Cell]] = []
    for each in comparison.differences:
        figures: list[Cell] = [each.metric, each.first, each.second]
        if is_plain:
            rows.append([*figures, each.difference, *each.interval, each.p_value])
            continue
        low, high = (round(end, 2) + 0.0 for end in each.interval)  # no -0.00
        rows.append(
            [*figures, f"{round(each.difference, 2) + 0.0:+.2f}", f"{low:+.2f} to {high:+.2f}", f"{each.p_value:.4f}"]
        )
    return rows


def _named(record: Record) -> str:
    """Return a model with what tells it from others: its weights, its part, and changes to its recipe."""
    part = f", part {record.part} alone" if record.part else ""
    from tipr_zoo.cards.record import ranking_words  # not at the top: only a text names it

    part += "".join(f", {words}" for words in ranking_words(record))
    seed = f", training seed {record.training_seed}" if record.training_seed is not None else ""
    changes = f", {len(record.overrides)} entries of the recipe changed" if record.overrides else ""
    return f"{record.model} (weights {record.weights_sha256[:8]}{seed}{part}{changes})"


def _legend(comparisons: Sequence[RecordComparison]) -> list[str]:
    """Return what difference, interval and p mean, and what they do not."""
    first = comparisons[0]
    unit = "queries" if first.by == "query" else "identities, each with all its queries"
    lines = [
        "Figures in percent; the difference is the second less the first, in percentage points. The interval holds the"
        f" middle 95 % of {first.resamples:,} resamples of the {unit}. p is the share of {first.resamples:,} random"
        " flips of signs, or of all flips where these are fewer, whose difference is at least as far from 0."
        f" Seed {first.seed}.",
        "Both say how much depends on which queries were asked. They say nothing of another training of either model:"
        " `tipr-zoo reproduce` trains several seeds.",
    ]
    if first.by == "query":
        lines.append(
            "The captions of a person resemble each other, so that single queries know less than they seem to;"
            " --by identity draws whole persons."
        )
    same = [comparison for comparison in comparisons if comparison.is_without_difference]
    if same:
        lines.append(
            "Both found the same of every query" + ("." if len(same) == len(comparisons) else " in one direction.")
        )
    return lines


def _as_json(comparison: RecordComparison) -> dict[str, Any]:
    values = asdict(comparison)
    values["first"], values["second"] = comparison.first.values(), comparison.second.values()
    return values
