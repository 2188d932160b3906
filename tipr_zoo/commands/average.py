"""``tipr-zoo average``: the average of several files of weights of one model."""

from __future__ import annotations

import argparse
from pathlib import Path

from tipr_zoo.terminal.suggested_command import quoted

NAME = "average"
HELP = "average the weights of several epochs, or of trainings from one start"
EXAMPLE = """
tipr-zoo average work_dirs/mine/epoch_5.pth work_dirs/mine/epoch_6.pth -o averaged.safetensors
tipr-zoo average one.safetensors other.safetensors --shares 3 1 -o averaged.safetensors
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="weights of one model, or checkpoints of its training"
    )
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="file to write (.safetensors)")
    parser.add_argument(
        "--shares", metavar="N", nargs="+", type=float, help="how much each file counts (default: all alike)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite a file that exists")


def run(arguments: argparse.Namespace) -> None:
    """Average, then say what was averaged, and what is to be known of it."""
    from tipr_zoo.authoring.averaging import average_weights

    average = average_weights(arguments.files, arguments.output, arguments.shares, arguments.force)
    size = average.weights.stat().st_size / 1e6
    parts = [f"{share:.2%} {file.name}" for share, file in zip(average.shares, arguments.files, strict=True)]
    print(f"weights: {average.weights} ({average.tensors} tensors, {size:.1f} MB)")
    print(f"averaged: {', '.join(parts)}")
    for note in average.notes:
        print(f"note: {note}")
    print(f"use it: tipr-zoo eval NAME --data DIR --weights {quoted(average.weights)}")
