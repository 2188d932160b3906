"""``tipr-zoo restore``: hide most of a picture and have a model restore it from a sentence."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tipr_zoo.commands.options import add_model_arguments, build_model

NAME = "restore"
HELP = "hide most of a picture and have a model restore it from a sentence"
EXAMPLE = """
tipr-zoo restore sen_tiny_restoring_synth person.jpg "a man in a red jacket and blue jeans" -o restored.png
tipr-zoo restore sen_tiny_restoring_synth person.jpg "a man in a red coat" --instead "a man in a yellow coat" --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the model; it must have learnt to restore, as SEN's have")
    parser.add_argument("image", metavar="IMAGE", type=Path, help="the picture")
    parser.add_argument("text", metavar="TEXT", help="the sentence")
    parser.add_argument(
        "-o", "--picture", metavar="FILE", type=Path, help="draw it into this file (.png, .jpg); optional with --json"
    )
    parser.add_argument(
        "--instead",
        metavar="TEXT",
        action="append",
        help="restore with this sentence as well (default: TEXT with its first colour word changed)",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="decides what is hidden (default: 0)")
    add_model_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Restore, draw, and print how far each restoration is from the picture."""
    from tipr_zoo.display.picture_file import save_picture
    from tipr_zoo.display.restoration_picture import draw_restoration
    from tipr_zoo.display.tables import render_table, terminal_width, to_json
    from tipr_zoo.explaining.colour_words import change_colour
    from tipr_zoo.explaining.restoration import restore
    from tipr_zoo.machine.result_place import check_output
    from tipr_zoo.pictures.files import open_picture
    from tipr_zoo.terminal.streams import write_document

    check_output(arguments.picture, arguments.json)
    others = arguments.instead or [changed for changed in [change_colour(arguments.text)] if changed]
    if not others:
        print("the sentence has no colour word to change; --instead TEXT compares with another one", file=sys.stderr)
    picture = open_picture(arguments.image)
    model = build_model(arguments)
    restored = restore(model, picture, [arguments.text, *others], arguments.seed)
    if arguments.picture:
        save_picture(draw_restoration(restored), arguments.picture)
        print(f"drawn: {arguments.picture}", file=sys.stderr)
    if arguments.json:
        errors = [{"caption": each.caption, "error": each.error} for each in restored.restorations]
        about = {"picture": str(arguments.image), "hidden_share": restored.hidden_share, "restorations": errors}
        write_document(to_json(about, indent=None))
        return
    rows = [[each.caption, f"{each.error:.4f}"] for each in restored.restorations]
    print(render_table(["restored with", "squared error"], rows, width=terminal_width()))
