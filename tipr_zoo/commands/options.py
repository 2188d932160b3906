"""Options that several commands share: a model's weights, its device, and changes to its recipe."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tipr_zoo.errors import ConfigError

if TYPE_CHECKING:
    from tipr_zoo.models.built_model import BuiltModel


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--weights`` and ``--device``."""
    parser.add_argument(
        "--weights",
        metavar="FILE",
        type=Path,
        help="weights to use instead of the card's: a file, or hub:owner/name[@revision][:file]",
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, ... (default: a GPU where there is one)")


def build_model(arguments: argparse.Namespace) -> BuiltModel:
    """Build the model ``arguments.name`` with the weights and on the device of the options; see `tipr_zoo.build`."""
    from tipr_zoo.machine.devices import choose_device
    from tipr_zoo.models.building import build

    return build(
        arguments.name,
        pretrained=arguments.weights is None,
        weights=arguments.weights,
        device=choose_device(arguments.device),
    )


def parse_option(option: str) -> tuple[str, Any]:
    """Split ``KEY=VALUE``. The value is read as a Python literal, or as text where it is none.

    >>> parse_option("training.seed=1"), parse_option("training.optimizer.type=Adam")
    (('training.seed', 1), ('training.optimizer.type', 'Adam'))

    Raises:
        ConfigError: There is no ``=``.
    """
    key, equals, value = option.partition("=")
    if not equals or not key:
        raise ConfigError(f"--cfg-options takes KEY=VALUE, e.g. training.seed=1, got {option!r}")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # whatever text makes of Python's parser
        return key, value
