"""``tipr-zoo gallery create``: make an empty gallery of a model."""

from __future__ import annotations

import argparse

from tipr_zoo.commands.gallery_options import add_gallery_argument
from tipr_zoo.commands.options import add_model_arguments

NAME = "gallery create"
HELP = "make an empty gallery of a model: a folder, or a place on a server"
EXAMPLE = """
tipr-zoo gallery create crops.gallery --model irra_tiny_synth
tipr-zoo gallery create postgresql://127.0.0.1/people/crops --model irra_vitb16_cuhk --weights mine.safetensors
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_gallery_argument(parser)
    parser.add_argument("--model", metavar="NAME", required=True, help="the model")
    parser.add_argument(
        "--precision",
        metavar="NAME",
        help="float32 or bfloat16 (default: bfloat16 for large models where the processor has it)",
    )
    add_model_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Make the gallery."""
    from tipr_zoo.display.tables import one_line
    from tipr_zoo.gallery.gallery import Gallery
    from tipr_zoo.machine.devices import choose_device

    device = choose_device(arguments.device)
    options = {"device": device, "precision": arguments.precision}
    with Gallery.create(arguments.gallery, arguments.model, arguments.weights, **options) as gallery:
        header = gallery.header
        print(
            f"{one_line(arguments.gallery)}: a gallery of {header.model} ({header.dimension} numbers a picture,"
            f" embedded in {header.precision})"
        )
