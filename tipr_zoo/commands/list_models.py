"""``tipr-zoo list``: the models that can be built."""

from __future__ import annotations

import argparse

NAME = "list"
HELP = "list the models, with their plugin, data set and weights"
EXAMPLE = """
tipr-zoo list
tipr-zoo list 'irra*' --dataset CUHK-PEDES
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("pattern", metavar="PATTERN", nargs="?", default="*", help="shell pattern, e.g. 'irra*'")


def run(arguments: argparse.Namespace) -> int | None:
    """Print the table."""
    from tipr_zoo.card_index import list_models

    print("\n".join(list_models(arguments.pattern)))
    return None
