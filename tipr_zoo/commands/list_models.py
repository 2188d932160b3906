"""``tipr-zoo list``: the models that can be built."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.cards.index import card_index
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.display.model_size import millions, pixels
from tipr_zoo.display.selection_mark import TEST_SELECTION_LEGEND, marked
from tipr_zoo.display.tables import render_table, terminal_width, to_json
from tipr_zoo.errors import UnknownNameError
from tipr_zoo.models.lookup import list_models
from tipr_zoo.plugins.discovery import installed_plugins, missing_plugin_note
from tipr_zoo.terminal.streams import write_document

SIZES = ("parameters", "embedding", "input")
"""The columns of ``--long``."""

NAME = "list"
HELP = "list the models, with their plugin, data set, weights and rank-1"
EXAMPLE = """
tipr-zoo list
tipr-zoo list 'irra*' --dataset CUHK-PEDES
tipr-zoo list --long
tipr-zoo list --plugin core --pretrained --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("pattern", metavar="PATTERN", nargs="?", default="*", help="shell pattern of names: 'irra*'")
    parser.add_argument("--dataset", metavar="NAME", help="only models trained on this data set")
    parser.add_argument("--plugin", metavar="NAME", help="only models of this plugin; 'core' for those without one")
    parser.add_argument("--pretrained", action="store_true", default=None, help="only models with published weights")
    parser.add_argument("--long", action="store_true", help="also show parameters, embedding size and input size")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print the table. A filter that keeps no model is no error.

    Raises:
        UnknownNameError: No name matches the pattern.
    """
    for problem in [*card_index().problems.values(), *card_index().notes]:
        print(f"warning: {problem}", file=sys.stderr)
    if not list_models(arguments.pattern):
        raise _no_match(arguments.pattern)
    names = list_models(
        arguments.pattern, dataset=arguments.dataset, plugin=arguments.plugin, pretrained=arguments.pretrained
    )
    rows = [model_row(card_index().cards[name]) for name in names]
    if arguments.json:
        write_document(to_json(rows))
        return
    if not rows:
        print("no model is left over; drop a filter", file=sys.stderr)
        return
    print(
        render_table(
            ["model", "plugin", "data set", "weights", "R1", "origin", *(SIZES if arguments.long else ())],
            [_cells(row) + (_size_cells(row) if arguments.long else []) for row in rows],
            width=terminal_width(),
        )
    )
    if any(row["selected_on"] == "test" for row in rows):
        print(f"\n{TEST_SELECTION_LEGEND}")
    missing = sorted({row["plugin"] for row in rows if not row["installed"]})
    for plugin in missing:
        print(f"\n{missing_plugin_note(plugin)}" if plugin == missing[0] else missing_plugin_note(plugin))


def model_row(card: ModelCard) -> dict[str, Any]:
    """Return the table's row of one model."""
    weights = "none" if card.weights is None else "link" if card.weights.is_remote else "yes"
    with_rank_1 = [result for result in card.results if "R1" in result.metrics]
    # A figure that the zoo measured itself goes before a published one.
    result = min(with_rank_1, key=lambda result: result.origin != "measured", default=None)
    return {
        "model": card.name,
        "plugin": card.plugin or "core",
        "installed": card.plugin is None or card.plugin in installed_plugins(),
        "datasets": list(card.datasets),
        "weights": weights,
        "R1": result.metrics["R1"] if result else None,
        "origin": result.origin if result else None,
        "selected_on": result.selected_on if result else None,
        "size": asdict(card.size) if card.size else None,
    }


def _cells(row: dict[str, Any]) -> list[Any]:
    plugin = row["plugin"] if row["installed"] else f"{row['plugin']} (not installed)"
    origin = row["origin"] and marked(row["origin"], row["selected_on"])
    return [row["model"], plugin, ", ".join(row["datasets"]), row["weights"], row["R1"], origin]


def _size_cells(row: dict[str, Any]) -> list[Any]:
    size = row["size"]
    return [millions(size["parameters"]), size["embedding"], pixels(size["input"])] if size else [None] * len(SIZES)


def _no_match(pattern: str) -> UnknownNameError:
    names = list_models()
    if any(pattern.casefold() in name.casefold() for name in names):
        return UnknownNameError(f"no model is named {pattern!r}; did you mean the pattern '*{pattern.casefold()}*'?")
    return unknown_name("model", pattern, names, "see `tipr-zoo list`")
