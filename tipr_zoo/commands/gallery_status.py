"""``tipr-zoo gallery status``: what a gallery holds."""

from __future__ import annotations

import argparse

from tipr_zoo.commands.gallery_options import add_gallery_argument, add_json_argument

NAME = "gallery status"
HELP = "show what a gallery holds: pictures, model, weights, folders, facts"
EXAMPLE = """
tipr-zoo gallery status crops.gallery
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_gallery_argument(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print how the gallery stands."""
    from tipr_zoo.display.tables import Cell, render_table, terminal_width, to_json
    from tipr_zoo.gallery.gallery import Gallery
    from tipr_zoo.terminal.streams import write_document

    with Gallery.open(arguments.gallery) as gallery:
        status = gallery.status()
    if arguments.json:
        write_document(to_json(status.values()))
        return
    facts = ", ".join(f"{name} ({kind})" for name, kind in status.facts.items())
    rows: list[list[Cell]] = [
        ["pictures", f"{status.pictures:,}"],
        ["exact copies", f"{status.pictures - status.contents:,}"],
        ["model", status.model],
        ["weights", f"{status.weights or 'of its card'} ({status.weights_sha256[:12]})"],
        ["numbers a picture", f"{status.dimension}, embedded in {status.precision}"],
        ["facts", facts or "none"],
    ]
    rows += [["folder", folder] for folder in status.folders]
    print(render_table(["gallery", arguments.gallery], rows, width=terminal_width()))
