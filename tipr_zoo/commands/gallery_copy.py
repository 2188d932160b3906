"""``tipr-zoo gallery copy``: copy a gallery into another one, in any engine."""

from __future__ import annotations

import argparse

from tipr_zoo.commands.gallery_options import add_gallery_argument

NAME = "gallery copy"
HELP = "copy a gallery into another one, in any engine, without embedding anything"
EXAMPLE = """
tipr-zoo gallery copy crops.gallery postgresql://127.0.0.1/people/crops
tipr-zoo gallery copy part2.gallery crops.gallery
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_gallery_argument(parser, "FROM")
    parser.add_argument("to", metavar="TO", help="likewise; one that is there gets the pictures besides its own")


def run(arguments: argparse.Namespace) -> None:
    """Copy the gallery."""
    from tipr_zoo.display.tables import one_line
    from tipr_zoo.gallery.gallery import Gallery

    with Gallery.open(arguments.gallery) as gallery, gallery.copy(arguments.to) as copy:
        print(f"{one_line(arguments.to)}: {len(copy):,} pictures")
