"""``tipr-zoo gallery remove``: take pictures out of a gallery."""

from __future__ import annotations

import argparse

from tipr_zoo.commands.gallery_options import add_gallery_argument

NAME = "gallery remove"
HELP = "take pictures out of a gallery; their files stay"
EXAMPLE = """
tipr-zoo gallery remove crops.gallery pictures/cam3
tipr-zoo gallery remove crops.gallery pictures/a.jpg pictures/b.jpg
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_gallery_argument(parser)
    parser.add_argument("paths", metavar="PATH", nargs="+", help="pictures, or folders for all that lies below them")


def run(arguments: argparse.Namespace) -> None:
    """Remove them."""
    from tipr_zoo.display.tables import one_line
    from tipr_zoo.gallery.gallery import Gallery

    with Gallery.open(arguments.gallery) as gallery:
        print(f"{one_line(arguments.gallery)}: {gallery.remove(arguments.paths):,} removed")
