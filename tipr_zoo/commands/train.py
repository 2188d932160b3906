"""``tipr-zoo train``: train a model by its recipe."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tipr_zoo.commands.options import parse_option
from tipr_zoo.errors import ConfigError
from tipr_zoo.terminal.suggested_command import quoted, suggested_command

if TYPE_CHECKING:
    from tipr_zoo.models.resolved_model import ResolvedModel

NAME = "train"
HELP = "train a model by its recipe; stop and --resume as you like"
EXAMPLE = """
tipr-zoo train irra_tiny_synth
tipr-zoo train irra_tiny_synth --work-dir work_dirs/mine --resume
tipr-zoo train irra_vitb16_cuhk --data data/CUHK-PEDES --cfg-options training.batch_size=32 training.max_epochs=30
tipr-zoo train irra_vitb16_cuhk --data data/CUHK-PEDES --dry-run
torchrun --nproc-per-node 4 -m tipr_zoo train irra_vitb16_cuhk --data data/CUHK-PEDES
"""

CHOSEN = {
    "val": "best on validation",
    "test": "best on test, whose figures it makes a little too good",
    "none": "the last: the data set has no validation split",
    "lost": "the last: the weights of the best one are lost",
    "unbegun": "as they were at the start: the training ended before its first epoch",
}
"""The ways of choosing an epoch, in words."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the model")
    parser.add_argument(
        "--data", metavar="DIR", help="the data set's folder (SynthPEDES is drawn where it is left out)"
    )
    parser.add_argument("--dataset", metavar="NAME", help="which data set it is (default: told by its files)")
    parser.add_argument("--work-dir", metavar="DIR", type=Path, help="for checkpoints (default: work_dirs/NAME)")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        type=Path,
        help="weights to start from: the model's own, CLIP's as OpenAI has them, a checkpoint of the official code, or"
        " timm's of the image tower",
    )
    parser.add_argument(
        "--select-on",
        choices=("val", "test"),
        default="val",
        help="the split that the best epoch is chosen on (default: val; the papers chose on test)",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the work dir")
    parser.add_argument("--max-minutes", metavar="M", type=float, help="end with the epoch in which this time is up")
    parser.add_argument("--tensorboard", action="store_true", help="write tensorboard/ in the work dir")
    parser.add_argument(
        "--wandb",
        action="store_true",
        help="give the figures to Weights & Biases; without a login, wandb/ in the work dir alone",
    )
    parser.add_argument(
        "--recipe",
        metavar="FILE",
        type=Path,
        help="a recipe in the place of the card's, such as a work dir's recipe.py",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="show the data, the model, the time and memory of a step, and what would be written; write nothing",
    )
    parser.add_argument("--json", action="store_true", help="print the dry run as JSON")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, ... (default: a GPU where there is one)")
    parser.add_argument(
        "--cfg-options",
        metavar="KEY=VALUE",
        nargs="+",
        default=[],
        help="entries of the recipe to change, e.g. training.seed=1",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, then say where the weights are and how to measure them."""
    from tipr_zoo.distributed import is_main_process, joined_processes
    from tipr_zoo.machine.devices import choose_device
    from tipr_zoo.models.resolved_model import resolve
    from tipr_zoo.training.pairs.training_data import open_training_data
    from tipr_zoo.training.trail.trail import Trail

    if arguments.json and not arguments.dry_run:
        raise ConfigError("--json prints what a dry run found; add --dry-run, or leave it out")
    overrides = dict(parse_option(option) for option in arguments.cfg_options)
    work_dir = arguments.work_dir or Path("work_dirs") / arguments.name
    device = choose_device(arguments.device)
    trail = Trail(suggested_command(*arguments.typed), arguments.tensorboard, arguments.wandb)
    with joined_processes(device), trail.log:
        if not is_main_process():
            logging.getLogger("tipr_zoo").setLevel(logging.ERROR)  # the main process logs the same
        resolved = resolve(arguments.name, overrides, arguments.recipe)
        data = open_training_data(resolved, arguments.data, arguments.select_on, arguments.dataset)
        usual = {"weights": arguments.weights, "resume": arguments.resume, "device": str(device), "trail": trail}
        if arguments.dry_run:
            from tipr_zoo.commands.dry_run_report import print_dry_run
            from tipr_zoo.training.dry_run import dry_run

            found = dry_run(resolved, data, work_dir, **usual)
            if is_main_process():
                print_dry_run(found, arguments.json)
            return 0 if found.fits else 1
        from tipr_zoo.training.train import train_resolved

        result = train_resolved(resolved, data, work_dir, max_minutes=arguments.max_minutes, **usual)
        if not is_main_process():
            return 0
    chosen = "lost" if data.validation is not None and result.selected_on == "none" else result.selected_on
    chosen = chosen if result.selected_epoch else "unbegun"
    print(f"weights: {result.weights} (epoch {result.selected_epoch}, {CHOSEN[chosen]})")
    changes = arguments.cfg_options if arguments.recipe is None else _changes_of_model(resolved)
    options = "".join(f" {quoted(option)}" for option in changes)
    changed = f" --cfg-options{options}" if options else ""
    print(
        f"measure: tipr-zoo eval {quoted(arguments.name)} --data {quoted(data.train.root)}"
        f" --weights {quoted(result.weights)}{changed}",
        file=sys.stderr,
    )
    return 0


def _changes_of_model(resolved: ResolvedModel) -> list[str]:
    """Return what makes the model of a recipe from that of the card, as ``--cfg-options`` takes it."""
    from tipr_zoo.models.recipe import read_recipe

    new, own = resolved.recipe.model, read_recipe(resolved.card).model
    return [f"model.{key}={new.get(key)!r}" for key in {**own, **new} if new.get(key) != own.get(key)]
