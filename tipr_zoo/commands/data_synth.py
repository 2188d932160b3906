"""`tipr-zoo data synth`: draw SynthPEDES."""

from __future__ import annotations

import argparse
import sys

NAME = "data synth"
HELP = "draw SynthPEDES, a data set in the layout of CUHK-PEDES"
EXAMPLE = "tipr-zoo data synth data/synthpedes --splits test"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("directory", metavar="DIR", help="a new or empty folder, or one drawn before")
    parser.add_argument("--seed", type=int, default=0, help="seed of the data set (default: 0)")
    for split, count in (("train", 1000), ("val", 100), ("test", 200)):
        parser.add_argument(f"--{split}", type=int, default=count, help=f"{split} identities (default: {count})")
    parser.add_argument("--pictures", type=int, default=4, help="pictures of each identity (default: 4)")
    parser.add_argument("--splits", default="train,val,test", help="which splits to draw (default: train,val,test)")
    parser.add_argument("--workers", type=int, default=None, help="processes (default: every available core)")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(arguments: argparse.Namespace) -> int | None:
    """Draw the data set and say what it holds."""
    from tipr_zoo.display.tables import to_json
    from tipr_zoo.synthpedes import draw_synthpedes
    from tipr_zoo.terminal.streams import is_terminal, write_document

    summary = draw_synthpedes(
        arguments.directory,
        seed=arguments.seed,
        train=arguments.train,
        val=arguments.val,
        test=arguments.test,
        pictures=arguments.pictures,
        splits=tuple(name.strip() for name in arguments.splits.split(",") if name.strip()),
        workers=arguments.workers,
        progress=is_terminal(sys.stderr) or not arguments.json,
    )
    if arguments.json:
        write_document(to_json(summary))
        return 0
    what = "; ".join(
        f"{split}: {part['identities']:,} identities, {part['pictures']:,} pictures, {part['captions']:,} captions"
        for split, part in summary["splits"].items()
    )
    state = f"drawn in {summary['seconds']:.1f} s" if summary["drawn"] else "already there, nothing to draw"
    print(f"SynthPEDES (seed {summary['seed']}) in {summary['directory']}: {state}\n{what}")
    return 0
