"""``tipr-zoo convert``: turn a checkpoint of a method's official code into weights of the zoo."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tipr_zoo.terminal.suggested_command import quoted

if TYPE_CHECKING:
    from tipr_zoo.authoring.conversion import Conversion

NAME = "convert"
HELP = "turn a checkpoint of a method's official code into weights of the zoo"
METHOD_HELP = (
    "irra, nam, ham, ga_dms; of a plugin: sen, fmfa, rde, icl, conquer, tbps_clip, tbps_clip_simplified, rasa, or what"
    " another brings"
)
EXAMPLE = """
tipr-zoo convert best.pth --method irra -o irra_mine.safetensors
tipr-zoo convert best.pth --method sen --image-size 384 128 --stride 16 -o sen_mine.safetensors
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the checkpoint: a PyTorch or safetensors file")
    parser.add_argument("--method", metavar="M", required=True, help=METHOD_HELP)
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=Path,
        required=True,
        help="file to write (.safetensors); a card (.md) and a recipe (.py) to complete are written beside it",
    )
    parser.add_argument(
        "--image-size",
        metavar=("H", "W"),
        type=int,
        nargs=2,
        help="height and width of the pictures it was trained on (default: the method's, 384 128 for most)",
    )
    parser.add_argument("--stride", metavar="S", type=int, default=16, help="pixels between patches (default: 16)")
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")


def run(arguments: argparse.Namespace) -> None:
    """Convert, then say what was converted, what was left over, and what was missing."""
    from tipr_zoo.authoring.conversion import convert_checkpoint

    conversion = convert_checkpoint(
        arguments.file,
        arguments.method,
        arguments.output,
        image_size=arguments.image_size and tuple(arguments.image_size),
        stride=arguments.stride,
        overwrite=arguments.force,
    )
    print("\n".join(_summary(conversion)))


def _summary(conversion: Conversion) -> list[str]:
    """Return the report on a conversion, in lines."""
    from tipr_zoo.backbones.modified_resnet import SQUARE

    official = conversion.official
    image, text = official.model["image_encoder"], official.model["text_encoder"]
    (height, width), (rows, columns) = image["image_size"], conversion.grid_size
    blocks = sum(image["depths"]) if "depths" in image else image["depth"]
    size = conversion.weights.stat().st_size / 1e6
    return [
        f"weights: {conversion.weights} ({len(official.state)} tensors, {size:.1f} MB)",
        f"card: {conversion.card} (to be completed: its empty fields are errors until then)",
        f"recipe: {conversion.recipe}",
        f"image tower: {blocks} blocks of width {image['width']}; {height} x {width} pixels,"
        f" {rows} x {columns} patches every {image.get('stride', SQUARE)} pixels",
        f"text tower: {text['depth']} blocks of width {text['width']}; {text['context_length']} tokens of"
        f" {text['vocabulary_size']:,} ids",
        f"embedding size: {image.get('embedding_size') or official.model['embedding_size']}",
        f"heads: {', '.join(map(_head, (official.model.get('heads') or {}).items())) or 'none'}",
        *(official.notes or ["nothing is left over, nothing is missing"]),
        *(
            f"use it: tipr-zoo eval {quoted(name)} --data DIR --weights {quoted(conversion.weights)}"
            for name in conversion.fitting_models
        ),
    ]


def _head(item: tuple[str, dict[str, Any]]) -> str:
    """Return a head's key and size."""
    key, entry = item
    if "num_identities" in entry:
        return f"{key} ({entry['num_identities']:,} identities)"
    return f"{key} ({entry['depth']} blocks)" if "depth" in entry else key
