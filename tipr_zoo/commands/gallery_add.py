"""``tipr-zoo gallery add``: embed the pictures of a folder that a gallery does not know yet."""

from __future__ import annotations

import argparse
from pathlib import Path

from tipr_zoo.commands.gallery_options import (
    add_gallery_argument,
    add_update_arguments,
    open_to_embed,
    print_report,
    read_part,
    settings_of,
)

NAME = "gallery add"
HELP = "add the pictures of a folder to a gallery; only what is new is embedded, and a stop costs one batch"
EXAMPLE = """
tipr-zoo gallery add crops.gallery pictures/
tipr-zoo gallery add crops.gallery pictures/ --pattern 'cam{camera}/{person}_*'
tipr-zoo gallery add crops.gallery pictures/ --facts cameras.csv --part 1/4
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_gallery_argument(parser)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="pictures, also in sub-folders")
    parser.add_argument(
        "--part",
        metavar="K/N",
        help="embed the K-th of N parts alone, where several machines share the work; gallery copy joins them",
    )
    add_update_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Add the pictures, and say what was done."""
    part, settings = read_part(arguments.part), settings_of(arguments)
    with open_to_embed(arguments) as gallery:
        facts, pattern = arguments.facts, arguments.pattern
        report = gallery.add(arguments.folder, facts=facts, pattern=pattern, part=part, settings=settings)
    print_report(report, arguments.gallery, arguments.json)
