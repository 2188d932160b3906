"""``tipr-zoo gallery refresh``: bring a gallery up to its folders."""

from __future__ import annotations

import argparse
from pathlib import Path

from tipr_zoo.commands.gallery_options import (
    add_gallery_argument,
    add_update_arguments,
    open_to_embed,
    print_report,
    settings_of,
)
from tipr_zoo.errors import DataError

NAME = "gallery refresh"
HELP = "bring a gallery up to its folders: embed what is new or changed, remove what is gone"
EXAMPLE = """
tipr-zoo gallery refresh crops.gallery
tipr-zoo gallery refresh crops.gallery pictures/ --facts cameras.csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_gallery_argument(parser)
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, nargs="?", help="pictures (default: every folder that was added)"
    )
    add_update_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Bring the gallery up, and say what was done."""
    settings = settings_of(arguments)
    with open_to_embed(arguments) as gallery:
        facts, pattern = arguments.facts, arguments.pattern
        report = gallery.refresh(arguments.folder, facts=facts, pattern=pattern, settings=settings)
    print_report(report, arguments.gallery, arguments.json)
    if report.missing_folders:
        raise DataError("; ".join(report.missing_folders.values()))
