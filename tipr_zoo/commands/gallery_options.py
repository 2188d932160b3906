"""What the commands of galleries share: the gallery, facts, how pictures are embedded, and what is told."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tipr_zoo.commands.options import add_model_arguments
from tipr_zoo.errors import ConfigError

if TYPE_CHECKING:
    from tipr_zoo.gallery.gallery import Gallery
    from tipr_zoo.gallery.picture_embedding import EmbeddingSettings
    from tipr_zoo.gallery.reports import AddReport


def add_gallery_argument(parser: argparse.ArgumentParser, metavar: str = "GALLERY") -> None:
    """Declare the gallery that a command is about.

    Args:
        parser: The command's.
        metavar: What it is called in the command's help.
    """
    parser.add_argument("gallery", metavar=metavar, help="a folder, or the address of a server's")


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def open_to_embed(arguments: argparse.Namespace) -> Gallery:
    """Open the gallery that pictures are to be embedded for."""
    from tipr_zoo.gallery.gallery import Gallery
    from tipr_zoo.machine.devices import choose_device

    device = choose_device(arguments.device)
    return Gallery.open(arguments.gallery, weights=arguments.weights, device=device)


def add_update_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that ``gallery add`` and ``gallery refresh`` have."""
    parser.add_argument(
        "--facts",
        metavar="FILE",
        type=Path,
        help="a table with a column 'picture' and one for each fact: CSV, TSV, JSON Lines, JSON, parquet",
    )
    parser.add_argument("--pattern", metavar="PATTERN", help="facts in the paths, e.g. 'cam{camera}/{person}_*'")
    parser.add_argument("--batch-size", metavar="N", type=int, default=64, help="pictures in one pass (default: 64)")
    parser.add_argument(
        "--workers", metavar="N", type=int, help="processes that decode pictures (default: what suits the machine)"
    )
    add_model_arguments(parser)
    add_json_argument(parser)


def settings_of(arguments: argparse.Namespace) -> EmbeddingSettings:
    """Return how pictures are to be embedded."""
    from tipr_zoo.gallery.picture_embedding import EmbeddingSettings
    from tipr_zoo.terminal.streams import is_terminal

    return EmbeddingSettings(arguments.batch_size, arguments.workers, progress=is_terminal(sys.stderr))


def print_report(report: AddReport, place: str, as_json: bool) -> None:
    """Print what was done, and what was left out.

    Args:
        report: What was done.
        place: The gallery.
        as_json: Whether to print JSON.
    """
    from tipr_zoo.display.tables import one_line
    from tipr_zoo.gallery.shape_remark import shape_remark

    if as_json:
        from tipr_zoo.display.tables import to_json
        from tipr_zoo.terminal.streams import write_document

        write_document(to_json(report.values()))
        return
    for problem in report.problems():
        print(one_line(problem), file=sys.stderr)
    if remark := shape_remark(report.unlike_persons, report.found):
        print(f"note: {one_line(remark.text)}", file=sys.stderr)
    print(f"{one_line(place)}: {report.line()}")


def read_part(text: str | None) -> tuple[int, int] | None:
    """Read ``1/4``: which of how many parts.

    Raises:
        ConfigError: It is something else.
    """
    if text is None:
        return None
    number, slash, count = text.partition("/")
    if not slash or not number.isdecimal() or not count.isdecimal() or len(text) > 12:
        raise ConfigError(f"--part takes NUMBER/COUNT, e.g. 1/4 for the first of four parts, got {text!r}")
    return int(number), int(count)
