"""``tipr-zoo cards new``: write the card of your own model."""

from __future__ import annotations

import argparse
from pathlib import Path

from tipr_zoo.terminal.suggested_command import quoted

NAME = "cards new"
HELP = "write a model's card, from its weights and the records of `tipr-zoo eval`"
EXAMPLE = """
tipr-zoo cards new my_model --from-weights work_dirs/mine/best.safetensors --record records/*.json
tipr-zoo cards new my_model --plugin mine --config my_model.py --dataset CUHK-PEDES --folder mine/model_cards
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the new model's name")
    parser.add_argument("--plugin", metavar="P", help="the plugin that brings its components (default: the core)")
    parser.add_argument("--config", metavar="FILE", help="its recipe, among those of the plugin or of the core")
    parser.add_argument(
        "--dataset", metavar="D", action="append", default=[], help="what it was trained on; repeatable"
    )
    parser.add_argument(
        "--license", metavar="L", default="other", help="as the Hub spells it, e.g. mit (default: other)"
    )
    parser.add_argument("--from-weights", metavar="FILE", type=Path, help="its weights; copied beside the card")
    parser.add_argument(
        "--record",
        metavar="FILE",
        nargs="+",
        type=Path,
        default=[],
        help="records of `tipr-zoo eval` with these weights",
    )
    parser.add_argument("--folder", metavar="DIR", type=Path, default=Path(), help="where to write it (default: here)")


def run(arguments: argparse.Namespace) -> None:
    """Write the card, and say what is left to do."""
    from tipr_zoo.authoring.card_check import todo_lines
    from tipr_zoo.authoring.card_writing import write_card
    from tipr_zoo.authoring.new_model import NewModel

    model = NewModel(
        name=arguments.name,
        plugin=arguments.plugin,
        config=arguments.config,
        datasets=tuple(arguments.dataset),
        license=arguments.license,
        weights=arguments.from_weights,
        records=tuple(arguments.record),
    )
    card, *others = write_card(model, arguments.folder)
    print(f"card: {card}")
    for file in others:
        print(f"beside it: {file}")
    if lines := todo_lines(card):
        print(f"to be written by hand: line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))} (TODO)")
    print(f"check it: tipr-zoo cards check {quoted(card)}")
    print(f"publish it: tipr-zoo push {quoted(card)} OWNER/{quoted(model.name)} --dry-run")
