"""What the commands that run one model share: which weights it has, and where it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tipr_zoo.dual_encoder import DualEncoder


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--weights`` and ``--device``."""
    parser.add_argument(
        "--weights",
        metavar="FILE",
        type=Path,
        help="weights to use instead of the card's: a file, or hub:owner/name[@revision][:file]",
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, ... (default: a GPU where there is one)")


def build_model(arguments: argparse.Namespace) -> DualEncoder:
    """The model ``arguments.name`` with the weights and on the device that were asked for; see `tipr_zoo.build`."""
    from tipr_zoo.building import build
    from tipr_zoo.devices import choose_device

    return build(
        arguments.name,
        pretrained=arguments.weights is None,
        weights=arguments.weights,
        device=choose_device(arguments.device),
    )
